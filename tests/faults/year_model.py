"""What a person did in a year, in plain dictionaries, and what must therefore be true of the files. Nothing of
tagger is used."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from year_files import Item, inside_items, is_emptied, text_words, word_of, words, xmp_items


@dataclass
class Vote:
    """A person's verdict on a label of a picture."""

    id: int
    picture: int
    label: int
    who: str
    verdict: str
    undone: bool = False


def first_kind(items: Iterable[Item]) -> set[Item]:
    """The items without IPTC ones, which count only where there is nothing else."""
    rest = {item for item in items if item[0] not in ("iptc", "rating")}
    return rest or set(items)


@dataclass
class Year:
    """The person's side: which picture is where, who wrote what into which file, who decided what."""

    root: Path
    labels: list[str]
    pictures: dict[str, int] = field(default_factory=dict)  # path below the root -> picture
    items: dict[str, set[Item]] = field(
        default_factory=dict
    )  # path of any file -> what the person wrote in it
    refused: dict[str, set[str]] = field(
        default_factory=dict
    )  # sidecar -> our words that the person took off
    votes: list[Vote] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    thinned: set[str] = field(default_factory=set)  # sidecars from which the person took words off
    copied: dict[str, set[Item]] = field(default_factory=dict)  # what tagger copied into its new sidecars
    broken: bool = False

    def check(self, right: bool, what: str) -> None:
        """An error that says what is wrong and what was typed until then."""
        if not right:
            self.broken = True
            raise AssertionError("\n".join([what, "The history:", *self.history]))

    # decisions

    def decided(self, picture: int, label: int) -> str | None:
        """The verdict on a label of a picture; None where nobody decided, or people differ."""
        latest = {
            v.who: v.verdict for v in self.votes if (v.picture, v.label) == (picture, label) and not v.undone
        }
        verdicts = set(latest.values())
        return verdicts.pop() if len(verdicts) == 1 else None

    def refusals(self, photo: str) -> set[str]:
        """The labels that were decided as *no* on the picture at this path."""
        picture = self.pictures.get(photo, -1)
        return {name for k, name in enumerate(self.labels) if self.decided(picture, k) == "no"}

    def agreed(self, photo: str) -> set[str]:
        """The labels that were decided as *yes* on the picture at this path."""
        picture = self.pictures.get(photo, -1)
        return {name for k, name in enumerate(self.labels) if self.decided(picture, k) == "yes"}

    # files

    def sidecars(self, photo: str) -> tuple[str, str, str]:
        """The paths of a photo's sidecars: NAME.jpg.xmp, NAME.xmp, NAME.txt."""
        stem = photo.rpartition(".")[0]
        return f"{photo}.xmp", f"{stem}.xmp", f"{stem}.txt"

    def read(self, path: str) -> set[Item]:
        """What is in a file now."""
        file = self.root / path
        if path.endswith(".txt"):
            return {("txt", word) for word in text_words(file)}
        return xmp_items(file.read_bytes()) if path.endswith(".xmp") else inside_items(file)

    def seen(self, photo: str) -> tuple[str, set[str]]:
        """(file, its words) that a program shows which prefers sidecars."""
        for path in (*self.sidecars(photo)[:2], photo):
            if (self.root / path).is_file() and (found := words(first_kind(self.read(path)))):
                return path, found
            if path != photo and (self.root / path).is_file() and is_emptied((self.root / path).read_bytes()):
                return path, set()
        return photo, set()

    def seen_mine(self, photo: str) -> set[str]:
        """The person's words among them."""
        path, found = self.seen(photo)
        return found & words(self.items.get(path, ()))

    def meant(self, photo: str) -> set[str]:
        """The person's words in the first place that has some; none where the person took words off."""
        places = (*self.sidecars(photo)[:2], photo)
        if self.thinned & set(places):
            return set()
        return next(
            (found for path in places if (found := words(first_kind(self.items.get(path, ()))))), set()
        )

    def own_words(self, photo: str) -> set[str]:
        """The person's words in a photo and its XMP sidecars."""
        return {
            word for path in (photo, *self.sidecars(photo)[:2]) for word in words(self.items.get(path, ()))
        }

    def write(self, path: str, items: set[Item]) -> None:
        """Note that the person wrote these items, unless they were there before."""
        self.items.setdefault(path, set()).update(items)
        self.refused.get(path, set()).difference_update(words(items))

    def forget(self, path: str) -> None:
        """Note that a file is gone by the person's own hand."""
        self.items.pop(path, None)
        self.refused.pop(path, None)

    def move(self, old: str, new: str) -> None:
        """Note that a file has another path."""
        for table in (self.pictures, self.items, self.refused):
            table.pop(new, None)  # type: ignore[attr-defined]
            if old in table:
                table[new] = table.pop(old)  # type: ignore[index, attr-defined]

    def part_with_copies(self) -> None:
        """Note that copies of a person's words, which tagger had put into its own sidecars, may be gone with them.

        Where the photo is beside, its words must still be in it, or in another sidecar.
        """
        for path, copies in self.copied.items():
            photo = self.photo_of(path)
            there = self.read(path) if (self.root / path).is_file() else set()
            others = {
                p for p in (photo, *self.sidecars(photo)[:2]) if p != path and (self.root / p).is_file()
            }
            left = {word for other in others for word in words(self.read(other))}
            gone = {item for item in copies - there if not photo or word_of(item) in left}
            self.items.get(path, set()).difference_update(gone)

    # what must be true

    def lost_items(self) -> Iterator[tuple[str, Item]]:
        """(file, item) of what the person wrote and is not there any more."""
        for path, items in self.items.items():
            there = self.read(path) if (self.root / path).is_file() else set()
            yield from ((path, item) for item in items - there)

    def check_nothing_lost(self) -> None:
        """No word that a person wrote is gone."""
        lost = [f"{path}: {item}" for path, item in self.lost_items()]
        self.check(not lost, f"gone: {lost}")

    def all_mine(self, path: str) -> bool:
        """Whether the person wrote all words of a file, and wants to keep them: it then stays as it is."""
        return words(self.read(path)) <= words(self.items.get(path, ())) - self.refusals(self.photo_of(path))

    def photo_of(self, sidecar: str) -> str:
        """The photo that a sidecar belongs to, or its first one; "" if it is not there."""
        return next((photo for photo in sorted(self.pictures) if sidecar in self.sidecars(photo)), "")


@dataclass
class Before:
    """Everything that a command of tagger may have changed, as it was before."""

    photos: dict[str, bytes]
    seen: dict[str, set[str]]
    texts: dict[str, bytes]
    there: set[str]
    worded: set[str]  # sidecars with words


def remember(year: Year) -> Before:
    """The state before a command."""
    files = {path.relative_to(year.root).as_posix() for path in year.root.rglob("*") if path.is_file()}
    return Before(
        {photo: (year.root / photo).read_bytes() for photo in year.pictures},
        {photo: year.seen_mine(photo) for photo in year.pictures},
        {
            path: (year.root / path).read_bytes()
            for path in files
            if path.endswith(".txt") and year.all_mine(path) and any(words(year.read(path)))
        },
        files,
        {path for path in files if path.endswith(".xmp") and words(year.read(path))},
    )


def check_after(year: Year, before: Before, listed: set[tuple[str, str]]) -> None:
    """What holds after any command that writes labels; ``listed`` are the (sidecar, word) that it says it removed."""
    for photo, content in before.photos.items():
        year.check((year.root / photo).read_bytes() == content, f"{photo} was changed")
    _check_losses(year, listed)
    for photo, words_before in before.seen.items():
        off = {word for path in year.sidecars(photo)[:2] for word in year.refused.get(path, ())}
        gone = words_before - year.seen(photo)[1] - year.refusals(photo) - off
        year.check(not gone, f"{photo}: {gone} is hidden or gone for a program that prefers sidecars")
    for path, text in before.texts.items():
        now = (year.root / path).read_bytes()
        year.check(now.startswith(text.rstrip(b", \t\r\n")), f"{path}: rewritten: {text!r} -> {now!r}")
    for path, taken_off in year.refused.items():
        agreed = year.agreed(year.photo_of(path))
        back = (taken_off - agreed) & words(year.read(path)) if (year.root / path).is_file() else set()
        year.check(not back, f"{path}: {back} came back, which a person took off")


def _check_losses(year: Year, listed: set[tuple[str, str]]) -> None:
    """Each word that is gone was decided as *no*, and is listed. It counts as gone from then on."""
    for path, item in list(year.lost_items()):
        word = word_of(item)
        allowed = year.refusals(year.photo_of(path))
        year.check(word in allowed, f"{path}: {item} is gone, and nobody decided no")
        year.check((path, word) in listed, f"{path}: {item} was removed and is not listed: {sorted(listed)}")
        year.items[path].discard(item)


def inherit(year: Year, before: Before) -> None:
    """A sidecar that had no words holds the person's words from elsewhere: they count as the person's there."""
    for photo in year.pictures:
        for path in year.sidecars(photo)[:2]:
            if path not in before.worded and (year.root / path).is_file():
                known = year.own_words(photo)
                found = {item for item in year.read(path) if item[0] == "dc" and word_of(item) in known}
                year.copied.setdefault(path, set()).update(found - year.items.get(path, set()))
                year.items[path] = year.items.get(path, set()) | found


def check_table(year: Year, table: Path, said: str) -> None:
    """The table of ``tagger apply``: each decision is on its picture, and a photo that is not there is named."""
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    found: set[int] = set()
    for row in rows:
        path = row["file"].removeprefix("./")
        if path not in year.pictures:
            year.check(path in said, f"the table has {path}, which is no photo, and nobody says so")
            continue
        picture = year.pictures[path]
        found.add(picture)
        for k, name in enumerate(year.labels):
            verdict = year.decided(picture, k)
            year.check(
                verdict is None or has_label(row, name) == (verdict == "yes"),
                f"the table's {path} has {name}: {has_label(row, name)}, but was decided {verdict}",
            )
    there = set(year.pictures.values())
    for vote in year.votes:
        if year.decided(vote.picture, vote.label) is not None and vote.picture in there:
            year.check(
                vote.picture in found,
                f"picture {vote.picture} was decided, is there, and is not in the table",
            )


def has_label(row: dict[str, str], name: str) -> bool:
    """Whether a row of a label table has the label."""
    return name in row["labels"].split("|") if "labels" in row else row[name] == "1"


def listed_removals(changes: Path) -> set[tuple[str, str]]:
    """(sidecar, label) of the keywords that a list of changes says are removed."""
    if not changes.is_file():
        return set()
    with changes.open(encoding="utf-8-sig", newline="") as file:
        return {(row["sidecar"], row["label"]) for row in csv.DictReader(file) if row.get("sidecar")}
