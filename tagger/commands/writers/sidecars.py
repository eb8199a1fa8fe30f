"""Sidecar formats: what a writer of one is told, what it changes, and their registry."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar

from tagger.commands.writers.base import FormatCapabilities
from tagger.registry import Registry
from tagger.runs import atomic_write

sidecar_formats = Registry("sidecar format")


@dataclass(frozen=True)
class MergeRules:
    """What a merge may take away from a sidecar; the labels to write stay in any case.

    ``refused`` are labels that a person decided as *no*: they go, whoever wrote them. ``absent`` are labels
    that do not apply as far as known: they go where tagger wrote them itself. ``former`` maps names that labels
    had before to those that they have now: what tagger wrote under a former name goes, too. ``again`` are labels
    that a person decided as *yes*: they are written though somebody took them off the sidecar before.
    """

    refused: Collection[str] = ()
    absent: Collection[str] = ()
    former: Mapping[str, str] = field(default_factory=dict)
    again: Collection[str] = ()

    def own_to_remove(self, labels: Collection[str]) -> set[str]:
        """The labels that go where tagger wrote them, if these ``labels`` are written.

        >>> sorted(MergeRules(absent=["cat"], former={"hound": "dog", "ocean": "sea"}).own_to_remove(["dog"]))
        ['cat', 'hound']
        """
        settled = {*self.absent, *self.refused, *labels}
        return {*self.absent, *(old for old, new in self.former.items() if new in settled)} - set(labels)


@dataclass(frozen=True)
class SidecarOrigin:
    """What is known about a sidecar's labels besides their names.

    ``photos`` are those that it is for: a new one starts from their keywords. ``predicted`` holds what to note of
    labels that a model predicted; None if people chose them. ``recorded`` are labels that tagger wrote to it
    before, as far as that is recorded elsewhere.
    """

    photos: Sequence[Path] = ()
    predicted: Mapping[str, str] | None = None
    recorded: Collection[str] = ()


@dataclass(frozen=True)
class SidecarChange:
    """What a write changes: the bytes (None: no file), and the keywords added, removed, and kept off.

    Those ``kept_off`` are labels to write that a person took off the sidecar before.
    """

    before: bytes | None
    after: bytes
    added: list[str]
    removed: list[str]
    kept_off: list[str]


NOTHING_KNOWN = SidecarOrigin()


class SidecarWriter:
    """Writer of one sidecar an image; built with the label names."""

    capabilities: ClassVar[FormatCapabilities] = FormatCapabilities()

    def __init__(self, names: tuple[str, ...]):
        self.names = names

    def sidecar_path(self, file: str) -> PurePosixPath:
        """The sidecar of an image, relative to the same folder."""
        raise NotImplementedError

    def existing_or_new(self, folder: Path, file: str) -> Path:
        """The sidecar to write: the one that an image has already, under any name that programs use."""
        return folder / self.sidecar_path(file)

    def plan(
        self,
        path: Path,
        labels: Sequence[str],
        merge: MergeRules | None,
        origin: SidecarOrigin = NOTHING_KNOWN,
        *,
        complete: bool = True,
    ) -> SidecarChange:
        """What ``write`` will change. TaggerError if what is there cannot be read."""
        raise NotImplementedError

    def write(
        self, path: Path, labels: Sequence[str], merge: MergeRules | None, *, complete: bool = True
    ) -> None:
        """Write a sidecar; without ``merge`` its keywords are replaced.

        ``complete`` says that no other label applies, so that a sidecar without labels can say so.
        TaggerError if what is there cannot be read.
        """
        write_change(path, self.plan(path, labels, merge, complete=complete))


def write_change(path: Path, change: SidecarChange) -> None:
    """Write a planned sidecar. A file that would not change is not written."""
    if change.after != change.before:
        with atomic_write(path) as temporary:
            temporary.write_bytes(change.after)


def differences(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str]]:
    """(added, removed) keywords.

    >>> differences(["cat", "dog"], ["dog", "sea"])
    (['sea'], ['cat'])
    """
    added = [word for word in after if word not in before]
    return added, [word for word in before if word not in after]
