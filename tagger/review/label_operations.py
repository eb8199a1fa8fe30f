"""Label operations (add, rename, merge, undo) and the vocabulary after them.

Two logs meet here, and a run may have been trained before or after any operation, so a name that the run
does not know is not a mistake: it may be one that the run's own names came from. An operation that makes no
sense any more (two people renamed the same label at once) is left out and listed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tagger.errors import TaggerError, did_you_mean
from tagger.review.decision import LabelOperation, RecordedOperation


@dataclass(frozen=True, eq=False)
class LabelOrigin:
    """Where a label's cells come from: one label, or two that were merged when ``after`` was the last decision."""

    nodes: frozenset[int]
    parts: "tuple[LabelOrigin, ...]" = ()  # none, or (what was merged into, what was merged)
    after: int = 0


@dataclass(eq=False)
class _TrackedLabel:
    """One label through all operations: its number, its present name, and what became of it."""

    number: int  # a node of ``LabelOrigin``
    name: str
    origin: LabelOrigin
    column: int | None = None  # of the run's labels
    visible: bool = False
    added: bool = False  # by an operation
    same_as: "_TrackedLabel | None" = None  # the label that it turned out to be
    merged_into: "_TrackedLabel | None" = None

    @property
    def outside_run(self) -> bool:
        """Whether the run has no such label: renamed or merged before the run was made, or added since."""
        return self.column is None and self.merged_into is None

    def is_now(self, name: str) -> bool:
        """Whether this is a label of the vocabulary, and called so."""
        return self.visible and self.name == name


@dataclass
class EditedVocabulary:
    """The labels after the operations. Made by ``vocabulary_after``; not changed afterwards."""

    names: tuple[str, ...] = ()  # current, in the run's order, added ones last
    problems: list[str] = field(default_factory=list)  # operations left out, and why
    _labels: list[_TrackedLabel] = field(default_factory=list)  # by number
    _by_name: dict[str, _TrackedLabel] = field(default_factory=dict)  # every name ever used

    def resolve(self, name: str) -> str | None:
        """The current name of what was ever called ``name``, or None if no label is."""
        label = self._find(name)
        while label is not None and label.merged_into is not None:
            label = _identified(label.merged_into)
        return label.name if label is not None and label.visible else None

    def former_names(self) -> dict[str, str]:
        """{former name: present name} of every name that labels do not have any more."""
        found = {name: self.resolve(name) for name in self._by_name if name not in self.names}
        return {name: now for name, now in found.items() if now is not None}

    def origin(self, name: str) -> LabelOrigin:
        """Where the cells of a current label come from."""
        return _identified(self._by_name[name]).origin

    def node(self, name: str) -> int | None:
        """The number of the label that ``name`` was used for, merged or not."""
        label = self._find(name)
        return None if label is None else label.number

    def column(self, origin: LabelOrigin) -> int | None:
        """The run's column of an unmerged label, or None if it has none."""
        return self._of_origin(origin).column

    def run_column(self, name: str) -> int | None:
        """The run's column that a current label goes on from; None for a label that the run does not know.

        Of merged labels it is the column of the one that the others were merged into, if it has one.

        >>> vocabulary_after(["dog", "sea"]).run_column("sea")
        1
        """
        return self._first_column(self.origin(name))

    def _first_column(self, origin: LabelOrigin) -> int | None:
        if not origin.parts:
            return self.column(origin)
        return next((k for part in origin.parts if (k := self._first_column(part)) is not None), None)

    def added(self, origin: LabelOrigin) -> bool:
        """Whether an unmerged label without a column was added by a person, and not merged before the run was made."""
        return self._of_origin(origin).added

    def _of_origin(self, origin: LabelOrigin) -> _TrackedLabel:
        return _identified(self._labels[min(origin.nodes)])

    def _find(self, name: str) -> _TrackedLabel | None:
        return _identified(self._by_name[name]) if name in self._by_name else None

    def _find_or_track(self, name: str) -> _TrackedLabel:
        return self._find(name) or self._track(name)

    def _track(self, name: str, column: int | None = None, *, visible: bool = False) -> _TrackedLabel:
        number = len(self._labels)
        label = _TrackedLabel(number, name, LabelOrigin(frozenset([number])), column, visible)
        self._labels.append(label)
        self._by_name[name] = label
        return label

    def _add(self, name: str, *, undone: bool) -> bool:
        label = self._find_or_track(name)  # also when undone: the name stays taken
        if undone:
            return True
        if label.outside_run and label.name == name:
            label.visible = label.added = True
        return label.is_now(name)

    def _rename(self, name: str, target: str, *, undone: bool) -> bool:
        label = self._find_or_track(name)
        other = self._find(target)
        if other is None or other is label:
            self._by_name[target] = label  # also when undone: decisions may have been written under this name
            if undone or label.merged_into is not None or label.name != name:
                return undone
            label.name = target
            return True
        if label.outside_run and other.column is not None and other.visible:
            label.same_as = other
            other.origin = _with_node(label.origin, other.number)
            if undone:
                other.name = name
            return True
        return undone

    def _merge(self, name: str, target: str, after: int, *, undone: bool) -> bool:
        label = self._find_or_track(name)
        into = self._find_or_track(target)
        if undone:
            if label.outside_run and into.visible and label.name == name:
                label.visible = True
            return True
        known = into.is_now(target) or (into.outside_run and label.outside_run)
        if label is into or not known or not (label.outside_run or label.is_now(name)):
            return False
        into.origin = LabelOrigin(into.origin.nodes | label.origin.nodes, (into.origin, label.origin), after)
        label.merged_into = into
        label.visible = False
        return True


def _identified(label: _TrackedLabel) -> _TrackedLabel:
    """The label itself, or the one that it turned out to be."""
    while label.same_as is not None:
        label = label.same_as
    return label


def _with_node(origin: LabelOrigin, node: int) -> LabelOrigin:
    """The tree with ``node`` as another number of the label that it grew from."""
    parts = (_with_node(origin.parts[0], node), *origin.parts[1:]) if origin.parts else ()
    return LabelOrigin(origin.nodes | {node}, parts, origin.after)


def vocabulary_after(names: Sequence[str], operations: Iterable[RecordedOperation] = ()) -> EditedVocabulary:
    """The labels of a run with ``names`` after the operations, in whatever order these come.

    A name once used is never used for something else. Undoing an operation takes it back; its names stay
    taken, and what was decided under them counts for the label they meant.

    >>> vocabulary_after(["sea", "dog"]).resolve("sea")
    'sea'
    """
    result = EditedVocabulary()
    for column, name in enumerate(names):
        result._track(name, column, visible=True)
    ordered = sorted(operations, key=lambda one: one.id)
    undone = _undone_ids(ordered)
    for one in ordered:
        if not _apply(result, one, undone=one.id in undone):
            what = f"{one.kind} {one.label!r}" + (f" to {one.target!r}" if one.target else "")
            result.problems.append(
                f"change {one.id} of the labels ({what}, {one.reviewer}) cannot be applied any more: left out"
            )
    result.names = tuple(label.name for label in result._labels if label.visible and label.same_as is None)
    return result


def _undone_ids(ordered: Sequence[RecordedOperation]) -> set[int]:
    """The ids of the operations that an undo takes back. An undo can itself be undone."""
    undone: set[int] = set()
    for one in reversed(ordered):
        if one.kind == "undo" and one.id not in undone and one.undoes is not None and one.undoes < one.id:
            undone.add(one.undoes)
    return undone


def _apply(vocabulary: EditedVocabulary, one: RecordedOperation, *, undone: bool) -> bool:
    """Whether an operation, done or undone, makes sense; the vocabulary has changed if so."""
    if one.kind == "add":
        return vocabulary._add(one.label, undone=undone)
    if one.kind == "rename":
        return vocabulary._rename(one.label, one.target or "", undone=undone)
    if one.kind == "merge":
        return vocabulary._merge(one.label, one.target or "", one.after, undone=undone)
    return True  # an undo: ``_undone_ids`` has taken it into account


def check_operation(
    names: Sequence[str], operations: Sequence[RecordedOperation], new: LabelOperation
) -> None:
    """Raise TaggerError, in words for a person, if ``new`` cannot be done now. Call it before recording.

    >>> check_operation(["sea"], [], LabelOperation(kind="add", label="dog", reviewer="ann", client="t", seq=1))
    """
    now = vocabulary_after(names, operations)
    if new.kind == "undo":
        known = {one.id: one for one in operations}
        if new.undoes not in known:
            raise TaggerError(f"There is no operation {new.undoes} to undo.")
        return
    used = new.label if new.kind == "add" else new.target or ""
    if used != used.strip() or not used:
        raise TaggerError(
            f"A label needs a name that is not empty and has no blanks around it, not {used!r}."
        )
    if new.kind != "add" and new.label not in now.names:
        raise TaggerError(f"There is no label {new.label!r}.{did_you_mean(new.label, now.names)}")
    if new.kind == "merge":
        if new.target not in now.names or new.target == new.label:
            raise TaggerError(
                f"{new.label!r} cannot be merged into {used!r}. Choose another label of the run."
                f"{did_you_mean(used, [name for name in now.names if name != new.label])}"
            )
        return
    owner = now.node(used)
    revived = new.kind == "add" and owner is not None and now.resolve(used) is None
    if owner is not None and not revived and (new.kind == "add" or owner != now.node(new.label)):
        raise TaggerError(
            f"The name {used!r} is or was used for a label ({now.resolve(used)!r}). Choose another."
        )
