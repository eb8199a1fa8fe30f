"""Labels that may have been renamed in the table: asked about, answered by ``--renamed``, recorded as a rename."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from getpass import getuser

from tagger.commands.console.screen import Screen
from tagger.data.table_changes import ProposedRename, TableChanges
from tagger.errors import TaggerError, did_you_mean
from tagger.review import LabelOperation, Store, check_operation
from tagger.runs import RunFolder


def check_renames(
    renamed: Sequence[str], changes: TableChanges, resolve: Callable[[str], str | None]
) -> dict[str, str]:
    """What each label that is gone is called now ("": it is gone), as ``OLD=NEW`` texts say.

    ``resolve`` gives the current name of a label: a rename that is recorded already is no error. TaggerError for
    a text that fits no label, or for a rename that looks likely and is left open.
    """
    answers = _parse([text for text in renamed if not _is_recorded(text, resolve)], changes)
    _refuse(_open_questions(changes.renames, answers))
    return answers


def _cuts(text: str) -> list[tuple[str, str]]:
    """The text before and behind each equals sign: a label's name may hold one."""
    return [(text[:at], text[at + 1 :]) for at, sign in enumerate(text) if sign == "="]


def _is_recorded(text: str, resolve: Callable[[str], str | None]) -> bool:
    return any(old != new and resolve(old) == new for old, new in _cuts(text))


def _parse(renamed: Sequence[str], changes: TableChanges) -> dict[str, str]:
    answers: dict[str, str] = {}
    for text in renamed:
        pair = next((pair for pair in _cuts(text) if pair[0] in changes.labels_gone), None)
        if pair is None:
            hint = did_you_mean(text.partition("=")[0], changes.labels_gone)
            known = ", ".join(map(repr, changes.labels_gone)) or "no label"
            raise TaggerError(
                f"--renamed {text}: write OLD=NEW, where OLD is gone from the table ({known}).{hint}"
            )
        old, new = pair
        if new and new not in changes.new_labels:
            known = ", ".join(map(repr, changes.new_labels)) or "no label"
            raise TaggerError(
                f"--renamed {text}: {new!r} is not new in the table ({known}).{did_you_mean(new, changes.new_labels)}"
            )
        if old in answers or (new and new in answers.values()):
            raise TaggerError(f"--renamed {text}: another --renamed names {old!r} or {new!r}, too. Give one.")
        answers[old] = new
    return answers


def _open_questions(renames: Iterable[ProposedRename], answers: Mapping[str, str]) -> list[ProposedRename]:
    return [one for one in renames if one.old not in answers and one.new not in answers.values()]


def _refuse(questions: Sequence[ProposedRename]) -> None:
    if questions:
        yes = " ".join(f"--renamed {_quoted(f'{one.old}={one.new}')}" for one in questions)
        no = " ".join(f"--renamed {_quoted(f'{one.old}=')}" for one in questions)
        raise TaggerError(
            f"{' '.join(map(str, questions))} If it was renamed, add {yes}: what was learnt and decided of it stays."
            f" If not, add {no}: it is gone, and the other is new."
        )


def _quoted(text: str) -> str:
    return text if all(sign.isalnum() or sign in "=_-" for sign in text) else f'"{text}"'


def record_renames(url: str, previous: RunFolder, answers: Mapping[str, str], screen: Screen) -> None:
    """Record renames in the store of decisions, as the review app does: decisions follow, and it can be undone."""
    client = f"retrain-{secrets.token_hex(8)}"
    with closing(Store.open(url)) as store:
        for seq, (old, new) in enumerate((old, new) for old, new in answers.items() if new):
            operation = LabelOperation(
                kind="rename", label=old, target=new, reviewer=_account(), client=client, seq=seq
            )
            check_operation(previous.load_labels(), store.operations(), operation)
            store.record_operation(operation)
            screen.say(f"{old!r} is called {new!r} now, in the store of decisions, too.")


def _account() -> str:
    try:
        return getuser()
    except (OSError, KeyError):
        return "reviewer"
