"""Settled cells: values that follow from answers by declared rules and groups; they are offered, not asked."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tagger.arrays import NO, YES
from tagger.data import LabelGroup, Rule

Fact = tuple[str, int]  # label, value


@dataclass(frozen=True, kw_only=True)
class SettledCell:
    """A cell that nobody has judged, the value that follows, and the answer (label, value) that it follows from."""

    hash: str
    label: str
    given: int
    value: int
    because: Fact


class Settling:
    """What follows from a fact about an image, by rules and groups in the present names of labels.

    >>> settling = Settling([Rule("baby", "people")], {}, lambda label: label)
    >>> settling.follows({"people": 0}), settling.follows({"baby": 1})
    ({'baby': (0, ('people', 0))}, {'people': (1, ('baby', 1))})
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        groups: Mapping[str, LabelGroup],
        resolve: Callable[[str], str | None],
    ):
        self._next: dict[Fact, list[Fact]] = {}
        for rule in rules:
            self._add(resolve(rule.premise), YES, resolve(rule.implied), YES)
            self._add(resolve(rule.implied), NO, resolve(rule.premise), NO)
        for group in groups.values():
            members = [resolve(label) for label in group["labels"]] if group["kind"] != "multi" else []
            for one in members:
                for other in members:
                    self._add(one, YES, other, NO)

    def _add(self, label: str | None, value: int, then: str | None, its: int) -> None:
        if label is not None and then is not None and label != then:
            self._next.setdefault((label, value), []).append((then, its))

    def follows(self, told: Mapping[str, int]) -> dict[str, tuple[int, Fact]]:
        """label -> (value, the answer it follows from), through any number of rules; what contradicts is left out.

        A contradiction is not settled: it is for a person to judge.
        """
        found: dict[str, tuple[int, Fact]] = {}
        contradicted = set()
        for answer in told.items():
            for label, value in self._closure(answer):
                if told.get(label, value) != value or found.setdefault(label, (value, answer))[0] != value:
                    contradicted.add(label)
        return {label: one for label, one in found.items() if label not in contradicted | set(told)}

    def _closure(self, answer: Fact) -> Iterator[Fact]:
        seen = {answer}
        ahead = [answer]
        while ahead:
            for fact in self._next.get(ahead.pop(), ()):
                if fact not in seen:
                    seen.add(fact)
                    ahead.append(fact)
                    yield fact


def settled_cells(
    settling: Settling,
    answers: Mapping[str, Mapping[str, int]],
    given_values: Callable[[str], Mapping[str, int]],
    is_open: Callable[[str, str], bool],
) -> list[SettledCell]:
    """The cells to offer, image by image: open suspects, and cells whose value is another than the one that follows.

    ``answers``: verified values by image; ``given_values``: those of an image that nobody verified, by label.
    """
    found = []
    for hash, told in answers.items():
        follows = settling.follows(told)
        given = given_values(hash) if follows else {}
        for label, (value, because) in sorted(follows.items()):
            if label in given and (given[label] != value or is_open(hash, label)):
                found.append(
                    SettledCell(hash=hash, label=label, given=given[label], value=value, because=because)
                )
    return found


def settled_sentence(cells: Sequence[SettledCell]) -> str:
    """``Settled by your answers: 12 labels, 3 of them change``."""
    changes = sum(cell.given != cell.value for cell in cells)
    number = f"{len(cells):,} label{'' if len(cells) == 1 else 's'}"
    return f"Settled by your answers: {number}, {changes:,} of them change{'s' if changes == 1 else ''}"
