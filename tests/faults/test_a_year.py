"""A year in a minute: any history of ordinary life, and nothing that a person wrote or decided is lost in silence.

A history is forty steps of a person, of other programs and of tagger. After each step an independent model
(``year_model.py``, plain dictionaries) says what must be true of the files (``year_files.py`` reads them).
The network is replaced by guesses that change from step to step: what a model thinks is not what is tested.
"""

import io
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from PIL import Image
from rich.console import Console
from small import options
from torture import record_torture
from year_files import (
    PROGRAMS,
    Item,
    crop,
    own_labels,
    tag_inside,
    tag_sidecar,
    turn_by_flag,
    with_items,
    without_word,
    words,
)
from year_model import Before, Vote, Year, check_after, check_table, inherit, listed_removals, remember
from year_steps import MoreSteps, killed

import tagger
from tagger.commands.apply import apply
from tagger.commands.console.screen import Screen
from tagger.commands.predict import predict
from tagger.commands.retrain import retrain
from tagger.commands.serving import predictor
from tagger.commands.steps import finalize
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable
from tagger.data.formats.readers.keywords import KeywordReader
from tagger.errors import TaggerError
from tagger.review import Decision, LabelOperation, Store
from tagger.runs import RunFolder

LABELS = ("cat", "dog", "sea")
NUM_PHOTOS = 8
WORDS = ("cat", "dog", "sea", "Rex", "Holiday 2019", "café", "AC/DC")
STEPS = 40

PHOTO = st.integers(0, 40)  # one of the photos that are there, by its number
LABEL = st.integers(0, len(LABELS) - 1)
TAG = st.sampled_from(WORDS)
FORMAT = st.sampled_from(["xmp", "xmp-lightroom", "txt"])
NAME = st.sampled_from(["IMG 1.jpg", "0.jpg", "1.jpg", "2.jpg", "old/é.jpg", "old/3.jpg", "new 2020/a.b.jpg"])
RARELY = st.sampled_from([False] * 60 + [True])
# Steps after which something is still known to be wrong, and what: they are left out. None is known now.
UNSAFE: dict[str, str] = {}


@cache
def finished_year() -> Path:
    """A folder with photos/, labelled, and run/, trained on them; to be copied."""
    desk, rng = Path(tempfile.mkdtemp()), np.random.default_rng(0)
    (desk / "photos").mkdir()
    rows = ["file,labels"]
    for n in range(NUM_PHOTOS):
        pixels = rng.integers(0, 256, (24 + n, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(desk / "photos" / f"{n}.jpg", quality=90)
        rows.append(f"{n}.jpg,{'|'.join(name for k, name in enumerate(LABELS) if n >> k & 1)}")
    (desk / "photos" / "labels.csv").write_text("\n".join([*rows, ""]), "utf-8")
    chosen: dict[str, Any] = {"backbone": "test_resnet", "weights": "none"}
    tagger.train(desk / "photos", run=desk / "run", overrides=options(train__epochs=0), **chosen)
    shutil.rmtree(desk / "run" / "plots")
    return desk


class YearMachine(MoreSteps):
    """The steps. Those of a person change files and the model; those of tagger change files, which are then checked."""

    programs = ("own",)

    def __init__(self):
        super().__init__()
        self.desk = Path(tempfile.mkdtemp()) / "desk"
        shutil.copytree(finished_year(), self.desk)
        self.run = self.desk / "run"
        config = self.run / "config.toml"
        config.write_text(config.read_text("utf-8").replace(str(finished_year()), str(self.desk)), "utf-8")
        self.year = Year(self.desk / "photos", list(LABELS), {f"{n}.jpg": n for n in range(NUM_PHOTOS)})
        self.moved = False
        self.counter = 0
        self.read_run()

    def teardown(self) -> None:
        """One last table; then the desk is cleared."""
        try:
            if not self.year.broken:
                self.apply_table()
        finally:
            shutil.rmtree(self.desk.parent)

    def read_run(self) -> None:
        """Learn which picture each photo of the run is, and by which hash decisions know it."""
        images = RunFolder(self.run).load_images()
        self.name_of = {self.year.pictures[f]: f for f in images["file"] if f in self.year.pictures}
        self.hash_of = {
            self.year.pictures[f]: h
            for f, h in zip(images["file"], images["hash"], strict=True)
            if f in self.year.pictures
        }

    # The person and other programs

    def photo(self, number: int) -> str:
        """One of the photos that are there."""
        photos = sorted(self.year.pictures)
        return photos[number % len(photos)]

    def typed(self, line: str) -> None:
        """Note a step for the history."""
        self.year.history.append(line)

    @rule(number=PHOTO, word=TAG, how=st.sampled_from(["dc", "lr", "iptc"]), program=st.integers(0, 9))
    def tag_inside_the_photo(self, number: int, word: str, how: str, program: int):
        photo, name = self.photo(number), self.programs[program % len(self.programs)]
        items = self.new_items(photo, items_of(word, how))
        self.typed(f"{name} writes {sorted(items)} into {photo}")
        tag_inside(self.year.root / photo, items, name)
        self.year.write(photo, {item for item in items if item in self.year.read(photo)})

    @rule(
        number=PHOTO,
        word=TAG,
        how=st.sampled_from(["dc", "lr"]),
        which=st.integers(0, 1),
        program=st.integers(0, 9),
    )
    def tag_in_a_sidecar(self, number: int, word: str, how: str, which: int, program: int):
        path = self.year.sidecars(self.photo(number))[which]
        self.edit_sidecar(path, items_of(word, how), self.programs[program % len(self.programs)])

    @rule(number=PHOTO, stars=st.sampled_from("12345"))
    def rate(self, number: int, stars: str):
        path = self.year.sidecars(self.photo(number))[0]
        self.year.items[path] = {item for item in self.year.items.get(path, ()) if item[0] != "rating"}
        self.edit_sidecar(path, {("rating", stars)})

    @rule(number=PHOTO, word=TAG, style=st.sampled_from([", ", "\n", ","]))
    def tag_in_a_text_file(self, number: int, word: str, style: str):
        path = self.year.sidecars(self.photo(number))[2]
        file = self.year.root / path
        if self.new_items(path, {("txt", word)}):
            self.typed(f"a person writes {word!r} into {path}")
            before = file.read_bytes().decode() if file.is_file() else ""
            file.write_bytes((before.rstrip("\n") + style * bool(before.strip()) + word).encode())
            self.year.write(path, {("txt", word)})

    @rule(number=PHOTO, which=st.integers(0, 1), word=TAG, leave_empty=st.booleans())
    def take_off(self, number: int, which: int, word: str, leave_empty: bool):
        path = self.year.sidecars(self.photo(number))[which]
        file = self.year.root / path
        if not file.is_file() or word not in words(self.year.read(path)):
            return
        self.typed(f"a person takes {word!r} off in {path}")
        if word in own_labels(file.read_bytes()):
            self.year.refused.setdefault(path, set()).add(word)
        file.write_bytes(without_word(file.read_bytes(), word, leave_empty=leave_empty))
        self.year.items[path] = {
            item for item in self.year.items.get(path, ()) if item in self.year.read(path)
        }
        self.year.thinned.add(path)

    @rule(number=PHOTO, orientation=st.sampled_from([3, 6, 8]))
    def turn(self, number: int, orientation: int):
        self.typed(f"a person turns {self.photo(number)} by its flag to {orientation}")
        turn_by_flag(self.year.root / self.photo(number), orientation)

    @precondition(lambda self: "crop" not in UNSAFE and self.spare())
    @rule(number=PHOTO, enough=RARELY)
    def crop(self, number: int, enough: bool):
        if enough:
            photo = self.photo(number)
            self.typed(f"a person crops {photo}")
            crop(self.year.root / photo)
            self.counter += 1
            self.year.pictures[photo] = 1000 + self.counter
            self.year.items.pop(photo, None)

    @precondition(lambda self: "rename_or_move" not in UNSAFE)
    @rule(number=PHOTO, name=NAME, together=st.booleans())
    def rename_or_move(self, number: int, name: str, together: bool):
        old = self.photo(number)
        if not (self.year.root / name).exists():
            self.typed(f"mv {old} {name}" + " (and its sidecars)" * together)
            self.transfer(old, name, together, Path.rename)
            self.year.move(old, name)

    @rule(number=PHOTO, name=NAME, together=st.booleans())
    def copy(self, number: int, name: str, together: bool):
        old = self.photo(number)
        if not (self.year.root / name).exists() and len(self.year.pictures) < 2 * NUM_PHOTOS:
            self.typed(f"cp {old} {name}" + " (and its sidecars)" * together)
            self.transfer(old, name, together, shutil.copyfile)
            self.year.pictures[name] = self.year.pictures[old]
            self.year.items[name] = set(self.year.items.get(old, ()))

    def transfer(self, old: str, new: str, together: bool, how: Callable[[Path, Path], Any]) -> None:
        """Move or copy a photo, and its sidecars where none is in the way."""
        root = self.year.root
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        how(root / old, root / new)
        pairs = zip(self.year.sidecars(old), self.year.sidecars(new), strict=True)
        for before, after in pairs if together else ():
            if (root / before).is_file() and not (root / after).exists():
                how(root / before, root / after)
                if how is Path.rename:
                    self.year.move(before, after)
                else:
                    self.year.items[after] = set(self.year.items.get(before, ()))
                    self.year.refused[after] = set(self.year.refused.get(before, ()))

    def spare(self) -> bool:
        """Whether the run can lose another photo: of half of them a folder is not known to be the run's."""
        return len(set(self.name_of) & set(self.year.pictures.values())) > NUM_PHOTOS // 2 + 1

    @precondition(lambda self: "delete" not in UNSAFE and self.spare())
    @rule(number=PHOTO, together=st.booleans())
    def delete(self, number: int, together: bool):
        photo = self.photo(number)
        self.typed(f"rm {photo}" + " (and its sidecars)" * together)
        for path in (photo, *(self.year.sidecars(photo) if together else ())):
            (self.year.root / path).unlink(missing_ok=True)
            self.year.forget(path)
        self.year.pictures.pop(photo)

    @precondition(lambda self: "move_the_data_folder" not in UNSAFE)
    @rule(enough=RARELY)
    def move_the_data_folder(self, enough: bool):
        if enough:
            self.counter += 1
            new = self.desk / f"disk {self.counter}"
            self.typed(f"mv {self.year.root.name} '{new.name}'")
            self.year.root.rename(new)
            with pytest.raises(TaggerError):
                apply(self.run, out=self.desk / "nothing.csv")
            self.year.root, self.moved = new, True

    @rule()
    def read_keywords(self):
        """A training on the keywords learns the person's, whatever lies before them."""
        self.typed("tagger reads the keywords as labels")
        images = ImageLookup(self.year.root, sorted(self.year.pictures))
        try:
            known = labels_of(KeywordReader().read(self.year.root, images))
        except TaggerError:  # there are none
            known = {}
        for photo in self.year.pictures:
            missing = self.year.meant(photo) - known.get(photo, set())
            self.year.check(not missing, f"{photo}: {missing} is not read as a label, but {known.get(photo)}")

    def edit_sidecar(self, path: str, items: set[Item], program: str = "own") -> None:
        """Another program writes items into a sidecar, which it makes if need be."""
        file = self.year.root / path
        if items := self.new_items(path, items):
            real = program != "own" and file.is_file() and {kind for kind, _ in items} == {"dc"}
            self.typed(f"{program if real else 'another program'} writes {sorted(items)} into {path}")
            if real:
                tag_sidecar(file, items, program)
            else:
                file.write_bytes(with_items(file.read_bytes() if file.is_file() else None, items))
            self.year.write(path, items & self.year.read(path))

    def new_items(self, path: str, items: set[Item]) -> set[Item]:
        """Those that the file has not yet: what tagger wrote does not become the person's by being written again."""
        there = self.year.read(path) if (self.year.root / path).is_file() else set()
        return items - there if not words(items) & words(there) else set()

    # Decisions

    def record(self, vote: Vote, **more: Any) -> None:
        """Write a verdict into the store, as the app does."""
        self.counter += 1
        decision = Decision(
            hash=self.hash_of[vote.picture], label=self.year.labels[vote.label], before=-1, suggested=None,
            doubt=None, run=str(self.run), reviewer=vote.who, seconds=1.0, client="app", seq=self.counter,
            **({"verdict": vote.verdict} | more),
        )  # fmt: skip
        with closing(Store.open(self.store())) as store:
            store.record([decision])
            vote.id = vote.id or store.last_id()

    def store(self) -> str:
        """The address of the store in the data folder."""
        (self.year.root / ".tagger").mkdir(exist_ok=True)
        return f"sqlite:///{self.year.root / '.tagger' / 'review.db'}"

    @rule(number=PHOTO, label=LABEL, yes=st.booleans(), who=st.sampled_from(["ann", "ann", "ann", "bob"]))
    def decide(self, number: int, label: int, yes: bool, who: str):
        picture = self.year.pictures[self.photo(number)]
        if picture in self.hash_of:
            vote = Vote(0, picture, label, who, "yes" if yes else "no")
            self.typed(f"{who} decides {vote.verdict} on {self.year.labels[label]} of {self.photo(number)}")
            self.record(vote)
            self.year.votes.append(vote)

    @rule(number=st.integers(0, 20))
    def undo(self, number: int):
        votes = [vote for vote in self.year.votes if not vote.undone and vote.picture in self.hash_of]
        if votes:
            vote = votes[number % len(votes)]
            self.typed(f"{vote.who} takes back decision {vote.id}")
            self.record(vote, verdict="undo", undoes=vote.id)
            vote.undone = True

    @rule(label=LABEL, enough=st.sampled_from([False] * 5 + [True]))
    def rename_a_label(self, label: int, enough: bool):
        if enough:
            self.counter += 1
            old, new = self.year.labels[label], f"{LABELS[label]} {self.counter}"
            self.typed(f"ann renames the label {old!r} to {new!r}")
            operation = LabelOperation(
                kind="rename", label=old, target=new, reviewer="ann", client="labels", seq=self.counter
            )
            with closing(Store.open(self.store())) as store:
                store.record_operation(operation)
            self.year.labels[label] = new

    # tagger

    def call(self, line: str, command: Callable[..., Any], **options: Any) -> str:
        """What a command says; it may fail only where no photo of the run is there any more."""
        self.typed(f"tagger {line}")
        screen, heard = Screen(), io.StringIO()
        screen.console = Console(file=heard, width=400)
        data = {"data": self.year.root} if self.moved and command is not predict else {}
        try:
            command(**{"run": self.run, "screen": screen} | data | options)
        except TaggerError as error:
            left = set(self.name_of) & set(self.year.pictures.values())
            self.year.check(not left, f"refused: {error}")
            return str(error)
        return heard.getvalue()

    def check_named(self, said: str) -> None:
        """Photos of the run that are not there are named, the first eight of them."""
        lost = [name for picture, name in self.name_of.items() if picture not in self.year.pictures.values()]
        missing = [name for name in lost if name not in said]
        self.year.check(len(lost) > 8 or not missing, f"not there and not named: {missing}; said: {said}")

    @rule()
    def apply_table(self):
        said = self.call("apply --out corrected.csv", apply, out=self.desk / "corrected.csv")
        self.year.check_nothing_lost()
        if (self.desk / "corrected.csv").is_file() and set(self.name_of) & set(self.year.pictures.values()):
            check_table(self.year, self.desk / "corrected.csv", said)
        self.check_named(said)

    @rule(format=FORMAT)
    def apply_sidecars(self, format: str):
        self.apply_and_check(format, remember(self.year))

    @rule(format=FORMAT, event=st.integers(1, 30), enough=st.sampled_from([False] * 9 + [True]))
    def apply_killed(self, format: str, event: int, enough: bool):
        before = remember(self.year)
        if enough:
            self.typed(f"tagger apply --format {format}, killed at its {event}th change on disk")
            killed(event, lambda: self.call_apply(format))
        self.apply_and_check(format, before)

    def call_apply(self, format: str) -> str:
        """Merge the corrected labels into sidecars beside the photos."""
        line = f"apply --out photos --format {format} --on-existing merge"
        return self.call(line, apply, out=self.year.root, format=format, on_existing="merge")

    def apply_and_check(self, format: str, before: Before) -> None:
        """Merge, and look at everything."""
        said = self.call_apply(format)
        listed = listed_removals(self.year.root / "labels.changes.csv")
        inherit(self.year, before)
        check_after(self.year, before, listed)
        self.check_named(said)
        self.check_new_sidecars(before)
        for photo, picture in self.year.pictures.items():
            if picture in self.name_of and list(self.year.pictures.values()).count(picture) == 1:
                self.check_decided(photo, format)

    def check_decided(self, photo: str, format: str) -> None:
        """What a program shows of a picture is what was decided on it. A sidecar of either name may be used."""
        path, there = self.year.seen(photo)
        if format == "txt":
            path = self.year.sidecars(photo)[2]
            there = words(self.year.read(path)) if (self.year.root / path).is_file() else set()
        elif all((self.year.root / other).is_file() for other in self.year.sidecars(photo)[:2]):
            return  # another program has made a second one: which of them counts is its affair
        missing = self.year.agreed(photo) - there - self.year.refused.get(path, set())
        self.year.check(not missing, f"{path}: {missing} was decided yes, and is not there")
        wrong = self.year.refusals(photo) & there
        self.year.check(not wrong, f"{path}: {wrong} was decided no, and is there")

    def check_new_sidecars(self, before: Before) -> None:
        """A sidecar that is new belongs to a photo that is there."""
        now = {
            path.relative_to(self.year.root).as_posix()
            for path in self.year.root.rglob("*")
            if path.is_file()
        }
        lonely = [
            path
            for path in now - before.there
            if path.endswith((".xmp", ".txt")) and not self.year.photo_of(path)
        ]
        self.year.check(not lonely, f"sidecars of photos that are not there: {lonely}")

    @rule(format=FORMAT, guess=st.integers(0, 15))
    def predict_sidecars(self, format: str, guess: int):
        before = remember(self.year)
        line = f"predict photos --format {format} --on-existing merge (guess {guess}; 0: the network)"
        Guesses.now = guess or Guesses.now
        with nullcontext() if guess else real_networks():
            self.call(line, predict, folder=self.year.root, format=format, on_existing="merge")
        inherit(self.year, before)
        check_after(self.year, before, set())
        self.check_new_sidecars(before)

    def retrain_killed(self, new: Path, event: int) -> None:
        """A retraining that is killed, and resumed; it begins anew where it was killed too early for that."""
        line = f"retrain --out '{new.name}'"
        if event:
            self.typed(f"tagger {line}, killed at its {event}th change on disk")
            killed(event, lambda: self.call(line, retrain, out=new))
        there = RunFolder(new)
        if event and there.exists and not there.finished:
            self.call(f"{line} --resume", resume_retraining, out=new)
        elif not there.finished:
            self.call(line, retrain, out=new)

    @rule(enough=RARELY, event=st.integers(0, 60))
    def retrain_it(self, enough: bool, event: int):
        if enough and len(set(self.name_of) & set(self.year.pictures.values())) == NUM_PHOTOS:
            self.counter += 1
            new = self.desk / f"run {self.counter}"
            with real_networks():
                self.retrain_killed(new, event)
            self.year.check_nothing_lost()
            self.run, self.moved = new, False
            self.read_run()


def resume_retraining(*, run: Path, **options: Any) -> RunFolder:
    """``tagger retrain --resume``: the run that it is made from is known."""
    return retrain(resume=True, **options)


def labels_of(read: LongTable) -> dict[str, set[str]]:
    """The labels of each photo in what a reader has read."""
    found: dict[str, set[str]] = {file: set() for file in read.files}
    for image, label, value in zip(read.image_C, read.label_C, read.value_C, strict=True):
        if value == 1:
            found[read.files[image]].add(read.labels[label])
    return found


def items_of(word: str, how: str) -> set[Item]:
    """What a program writes for a word: Lightroom adds a path to the flat keyword."""
    return {("dc", word), ("lr", f"Places|{word}")} if how == "lr" else {(how, word)}


class Guesses:
    """What the model thinks now: it says yes to a label of a photo as the bits of a number say."""

    now = 0
    real = predictor.Predictor.predict_probs, predictor.load_model

    @staticmethod
    def predict_probs(self: Any, root: Path, files: list[str], **more: Any) -> predictor.Predictions:
        """Sure probabilities of each file."""
        bits = [[Guesses.now + len(file) >> k & 1 for k in range(len(self.labels))] for file in files]
        probs_NK = np.array(bits, dtype=float).reshape(len(files), len(self.labels)) * 0.98 + 0.01
        return predictor.Predictions(files, probs_NK, {})


class FrameModel(torch.nn.Identity):
    """Stands in for a model that looks at each photo alone."""

    sequences = None
    glimpses = None


@contextmanager
def guessing() -> Iterator[None]:
    """Context manager: no network in ``predict``, and no waiting for the disk, whose failures are not tested here."""
    fsync, os.fsync = os.fsync, lambda file: None
    predictor.Predictor.predict_probs = Guesses.predict_probs  # type: ignore[assignment]
    predictor.load_model = lambda *_: FrameModel()  # type: ignore[assignment, return-value]
    try:
        yield
    finally:
        os.fsync = fsync
        predictor.Predictor.predict_probs, predictor.load_model = Guesses.real


@contextmanager
def real_networks() -> Iterator[None]:
    """Context manager within ``guessing``: the network itself, for a retraining; without its plots."""
    mine = predictor.Predictor.predict_probs, predictor.load_model
    predictor.Predictor.predict_probs, predictor.load_model = Guesses.real
    draw, finalize.draw = finalize.draw, lambda *_, **__: {}  # type: ignore[assignment]
    try:
        yield
    finally:
        finalize.draw = draw
        predictor.Predictor.predict_probs, predictor.load_model = mine


def live(number: int, machine: type[YearMachine] = YearMachine, **more: Any) -> None:
    """Live through so many histories; the first one that goes wrong is an error that prints it."""
    chosen = settings(
        max_examples=number, stateful_step_count=STEPS, database=None, deadline=None,
        suppress_health_check=list(HealthCheck), **more,
    )  # fmt: skip
    with guessing():
        run_state_machine_as_test(machine, settings=chosen)


class RealPrograms(YearMachine):
    """The same, and a few of the tags are written by real programs, where they are installed."""

    programs = (*["own"] * (10 - len(PROGRAMS)), *PROGRAMS)


def test_twenty_five_years():
    live(25, derandomize=True, phases=[Phase.generate])


@pytest.mark.skipif(len(PROGRAMS) == 1, reason="neither exiftool nor exiv2 is installed")
def test_two_years_with_real_programs():
    live(2, RealPrograms, derandomize=True, phases=[Phase.generate])


@pytest.mark.torture
def test_five_hundred_years():
    cores = os.cpu_count() or 1
    each, seed = -(-500 // cores), secrets.randbelow(2**32)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(each)]
    lives = [
        subprocess.Popen(
            [*command, str(seed + n)], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for n in range(cores)
    ]
    said = [(life.communicate()[0], life.returncode) for life in lives]
    wrong = [text for text, code in said if code]
    print(*wrong, sep="\n")  # whole: pytest shortens what an assertion compares
    assert not wrong
    record_torture(
        "a year of ordinary life", seed=seed, histories=each * cores, steps=each * cores * STEPS, lost=0
    )


if __name__ == "__main__":  # test_a_year.py NUMBER SEED
    RealPrograms._hypothesis_internal_use_seed = int(sys.argv[2])  # type: ignore[attr-defined]
    live(int(sys.argv[1]), RealPrograms)
