"""More steps of a year: commands that are killed, tags taken back, decisions that go to another computer.

Each step is a rule of ``YearMachine`` (``test_a_year.py``), which has ``call``, ``typed`` and ``year``. A command that
is killed is called again, as a person does, and then everything must be as if it had not been killed.
"""

import os
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from killing import arm
from year_model import Vote, Year, check_after, inherit, remember

from tagger.commands.decisions.export import export_decisions
from tagger.commands.decisions.import_decisions import import_decisions
from tagger.commands.decisions.merge import merge_stores
from tagger.commands.predict import predict
from tagger.commands.runs_move import move_run
from tagger.commands.untag import untag
from tagger.review import Decision, Store

EVENT = st.integers(1, 30)
SELDOM = st.sampled_from([False] * 14 + [True])


def killed(event: int, call: Callable[[], Any]) -> None:
    """Make a call in a child process that is killed at its ``event``-th change on disk."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads that do not come along are of no use to it
        child = os.fork()
    if not child:
        try:
            torch.set_num_threads(1)  # a pool of threads does not come along
            arm(event)
            call()
        finally:
            os._exit(0)
    deadline = time.monotonic() + 600
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        assert time.monotonic() < deadline, "the child hangs"
        time.sleep(0.002)


class MoreSteps(RuleBasedStateMachine):
    """The steps; what they use is in ``YearMachine``."""

    desk: Path
    run: Path
    year: Year
    counter: int
    moved: bool
    hash_of: dict[int, str]
    call: Callable[..., str]
    typed: Callable[[str], None]
    store: Callable[[], str]
    photo: Callable[[int], str]
    check_new_sidecars: Callable[..., None]

    def twice(self, line: str, event: int, call: Callable[[], Any]) -> Any:
        """A command that is killed, and then called again."""
        self.typed(f"tagger {line}, killed at its {event}th change on disk")
        killed(event, call)
        return call()

    @rule(format=st.sampled_from(["xmp", "xmp-lightroom", "txt"]), event=EVENT, enough=SELDOM)
    def predict_killed(self, format: str, event: int, enough: bool):
        if enough:
            before = remember(self.year)
            line = f"predict photos --format {format} --on-existing merge"
            more = {"folder": self.year.root, "format": format, "on_existing": "merge"}
            self.twice(line, event, lambda: self.call(line, predict, **more))
            inherit(self.year, before)
            check_after(self.year, before, set())
            self.check_new_sidecars(before)

    @rule(event=st.integers(0, 12), enough=SELDOM)
    def take_back_all_tags(self, event: int, enough: bool):
        if enough:
            before = remember(self.year)
            self.twice("untag photos --yes", event, lambda: untag(self.year.root, write=True))
            self.year.part_with_copies()
            check_after(self.year, before, set())

    @precondition(lambda self: self.moved)
    @rule(event=st.integers(1, 6))
    def tell_the_run_where_its_photos_are(self, event: int):
        line = f"runs move '{self.run.name}' --data '{self.year.root.name}'"
        self.twice(line, event, lambda: self.call(line, move_run))
        self.moved = False

    @rule(event=EVENT, enough=SELDOM)
    def go_to_another_computer(self, event: int, enough: bool):
        """Its store is made from an export, and the old one is not there any more."""
        file = self.year.root / ".tagger" / "review.db"
        if enough and file.is_file():
            self.counter += 1
            out = self.desk / f"decisions {self.counter}.{('csv', 'jsonl')[event % 2]}"
            self.call(f"decisions export --out '{out.name}'", export_decisions, out=out)
            for end in ("", "-wal", "-shm"):
                file.with_name(file.name + end).unlink(missing_ok=True)
            line = f"decisions import '{out.name}'"
            more = {"file": out, "reviewer": "ann"}
            self.twice(line, event, lambda: self.call(line, import_decisions, **more))

    @rule(number=st.integers(0, 40), label=st.integers(0, 2), yes=st.booleans(), event=EVENT, enough=SELDOM)
    def merge_a_laptop(self, number: int, label: int, yes: bool, event: int, enough: bool):
        """Zoe decides on her laptop, and her store is merged."""
        picture = self.year.pictures[self.photo(number)]
        if enough and picture in self.hash_of:
            vote = Vote(0, picture, label, "zoe", "yes" if yes else "no")
            self.typed(f"zoe decides {vote.verdict} on {self.year.labels[label]} of {self.photo(number)}")
            laptop = f"sqlite:///{self.desk / 'laptop.db'}"
            key = self.decide_on(laptop, vote)
            more = {"source": laptop, "reviewer": "ann"}
            line = "decisions merge laptop.db"
            self.twice(line, event, lambda: self.call(line, merge_stores, **more))
            with closing(Store.open(self.store())) as store:
                (vote.id,) = [one.id for one in store.decisions() if (one.client, one.seq) == key]
            self.year.votes.append(vote)

    def decide_on(self, url: str, vote: Vote) -> tuple[str, int]:
        """Write a verdict into a store of its own; its key."""
        self.counter += 1
        one = Decision(
            hash=self.hash_of[vote.picture], label=self.year.labels[vote.label], verdict=vote.verdict, before=-1,
            suggested=None, doubt=None, run=str(self.run), reviewer=vote.who, seconds=1.0, client="laptop",
            seq=self.counter,
        )  # fmt: skip
        with closing(Store.open(url)) as store:
            store.record([one])
        return one.client, one.seq
