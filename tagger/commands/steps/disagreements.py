"""Labels on which people differ: as lines on the screen, and as a table."""

from collections.abc import Sequence

import pandas as pd

from tagger.commands.console.screen import Screen
from tagger.review import DisputedLabel
from tagger.text import counted

COLUMNS = ["file", "hash", "label", "answers", "decided"]
BY = {
    "majority": "the majority",
    "newest": "the newest answer",
    "reliability": "the votes, weighed by how reliable each person is",
}
DECIDED = {None: "", 0: "no", 1: "yes"}


def disagreement_table(disputed: Sequence[DisputedLabel], images: pd.DataFrame) -> pd.DataFrame:
    """A row for each disputed label of each photo: file, hash, label, who says what, and what it counts as.

    >>> disagreement_table([], pd.DataFrame({"file": [], "hash": []})).columns.tolist()
    ['file', 'hash', 'label', 'answers', 'decided']
    """
    wanted = images[images["hash"].isin({one.hash for one in disputed})]
    files = wanted.groupby("hash")["file"].apply(list).to_dict()
    rows = [
        (file, one.hash, one.label, _answers(one), DECIDED[one.value])
        for one in disputed
        for file in files.get(one.hash, [""])
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def show_disagreements(
    disputed: Sequence[DisputedLabel], images: pd.DataFrame, way: str, run: object, screen: Screen
) -> None:
    """Show how many labels people differ on, which, what became of them, and what to do."""
    if not disputed:
        return
    waiting = [one for one in disputed if one.value is None]
    if decided := len(disputed) - len(waiting):
        screen.say(f"People differ on {counted(len(disputed), 'label')}: {decided:,} decided by {BY[way]}.")
    if waiting:
        screen.say(_waiting_line(len(waiting), bool(decided), way))
    table = disagreement_table(waiting or disputed, images)
    screen.say_list(disagreement_lines(table))
    if waiting:
        screen.say(
            "Settle them: tagger review, page Disagreements."
            " Or let --on-disagreement majority, newest or reliability decide."
        )
    screen.say(f"All of them as a table: tagger decisions disagreements --run {run} --out FILE.csv")


def _waiting_line(number: int, some_decided: bool, way: str) -> str:
    verb = "keeps" if number == 1 else "keep"
    if some_decided or way != "skip":
        return f"As many say yes as no on {counted(number, 'label')}, which {verb} the value from before the review:"
    return f"People differ on {counted(number, 'label')}, which {verb} the value from before the review:"


def _answers(one: DisputedLabel) -> str:
    return ", ".join(f"{who} {said}" for who, said in one.verdicts)


def disagreement_lines(table: pd.DataFrame) -> list[str]:
    """A line for each row of the table.

    >>> disagreement_lines(pd.DataFrame([["a.jpg", "h", "sea", "ann yes, ben no", ""]], columns=COLUMNS))
    ["a.jpg: 'sea' (ann yes, ben no)"]
    """
    return [
        f"{file or hash}: {label!r} ({answers})" + (f" -> {decided}" if decided else "")
        for file, hash, label, answers, decided in table[COLUMNS].to_numpy().tolist()
    ]
