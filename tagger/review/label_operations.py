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


@dataclass
class EditedVocabulary:
    """The labels after the operations. Made by ``edit_vocabulary``; not changed afterwards."""

    names: tuple[str, ...] = ()  # current, in the run's order, added ones last
    problems: list[str] = field(default_factory=list)  # operations left out, and why
    _node: dict[str, int] = field(default_factory=dict)  # every name ever used
    _same: list[int] = field(default_factory=list)  # nodes found to be one label point to it
    _name: list[str] = field(default_factory=list)
    _column: list[int | None] = field(default_factory=list)  # of the run's labels
    _visible: list[bool] = field(default_factory=list)
    _merged: list[int | None] = field(default_factory=list)
    _origin: list[LabelOrigin] = field(default_factory=list)
    _added: set[int] = field(default_factory=set)  # nodes that an operation added

    def resolve(self, name: str) -> str | None:
        """The current name of what was ever called ``name``, or None if no label is."""
        node = self.node(name)
        while node is not None and (into := self._merged[node]) is not None:
            node = self._find(into)
        return None if node is None or not self._visible[node] else self._name[node]

    def origin(self, name: str) -> LabelOrigin:
        """Where the cells of a current label come from."""
        return self._origin[self._find(self._node[name])]

    def node(self, name: str) -> int | None:
        """The number of the label that ``name`` was used for, merged or not."""
        return self._find(self._node[name]) if name in self._node else None

    def column(self, origin: LabelOrigin) -> int | None:
        """The run's column of an unmerged label, or None if it has none."""
        return self._column[self._find(min(origin.nodes))]

    def added(self, origin: LabelOrigin) -> bool:
        """Whether an unmerged label without a column was added by a person, and not merged before the run was made."""
        return self._find(min(origin.nodes)) in self._added

    def _find(self, node: int) -> int:
        while self._same[node] != node:
            node = self._same[node]
        return node

    def _new(self, name: str, column: int | None = None, *, visible: bool = False) -> int:
        node = len(self._same)
        self._node[name] = node
        self._same.append(node)
        self._name.append(name)
        self._column.append(column)
        self._visible.append(visible)
        self._merged.append(None)
        self._origin.append(LabelOrigin(frozenset([node])))
        return node

    def _get(self, name: str) -> int:
        node = self.node(name)
        return self._new(name) if node is None else node

    def _current(self, node: int | None, name: str) -> bool:
        return node is not None and self._visible[node] and self._name[node] == name

    def _away(self, node: int) -> bool:
        """Whether the run has no such label: it was renamed or merged before the run was made, or added since."""
        return self._column[node] is None and self._merged[node] is None

    def _add(self, label: str, *, undone: bool) -> bool:
        if undone:
            self._get(label)  # the name stays taken
            return True
        node = self._get(label)
        if self._away(node) and self._name[node] == label:
            self._visible[node] = True
            self._added.add(node)
        return self._current(node, label)

    def _rename(self, label: str, target: str, *, undone: bool) -> bool:
        node, other = self._get(label), self.node(target)
        if other is None or other == node:
            self._node[target] = node  # also when undone: decisions may have been written under this name
            if undone or self._merged[node] is not None or self._name[node] != label:
                return undone
            self._name[node] = target
            return True
        if self._away(node) and self._column[other] is not None and self._visible[other]:
            self._same[node], self._origin[other] = other, self._origin[node]
            self._origin[other] = _with_node(self._origin[other], other)
            if undone:
                self._name[other] = label
            return True
        return undone

    def _merge(self, label: str, target: str, after: int, *, undone: bool) -> bool:
        node = self._get(label)
        into = self._get(target)
        if undone:
            if self._away(node) and self._visible[into] and self._name[node] == label:
                self._visible[node] = True
            return True
        known = self._current(into, target) or (self._away(into) and self._away(node))
        if node == into or not known or not (self._away(node) or self._current(node, label)):
            return False
        old = self._origin[into]
        away = self._origin[node]
        self._origin[into] = LabelOrigin(old.nodes | away.nodes, (old, away), after)
        self._merged[node], self._visible[node] = into, False
        return True


def _with_node(origin: LabelOrigin, node: int) -> LabelOrigin:
    """The tree with ``node`` as another number of the label that it grew from."""
    parts = (_with_node(origin.parts[0], node), *origin.parts[1:]) if origin.parts else ()
    return LabelOrigin(origin.nodes | {node}, parts, origin.after)


def edit_vocabulary(names: Sequence[str], operations: Iterable[RecordedOperation] = ()) -> EditedVocabulary:
    """The labels of a run with ``names`` after the operations, in whatever order these come.

    A name once used is never used for something else. Undoing an operation takes it back; its names stay
    taken, and what was decided under them counts for the label they meant.

    >>> edit_vocabulary(["sea", "dog"]).resolve("sea")
    'sea'
    """
    result = EditedVocabulary()
    for column, name in enumerate(names):
        result._new(name, column, visible=True)
    ordered = sorted(operations, key=lambda one: one.id)
    undone: set[int] = set()
    for one in reversed(ordered):
        if one.kind == "undo" and one.id not in undone and one.undoes is not None and one.undoes < one.id:
            undone.add(one.undoes)
    for one in ordered:
        back = one.id in undone
        target = one.target or ""
        if one.kind == "add":
            done = result._add(one.label, undone=back)
        elif one.kind == "rename":
            done = result._rename(one.label, target, undone=back)
        elif one.kind == "merge":
            done = result._merge(one.label, target, one.after, undone=back)
        else:
            continue
        if not done:
            what = f"{one.kind} {one.label!r}" + (f" to {target!r}" if target else "")
            result.problems.append(
                f"operation {one.id} ({what}, {one.reviewer}) no longer makes sense and is left out"
            )
    result.names = tuple(
        name for at, name in enumerate(result._name) if result._visible[at] and result._find(at) == at
    )
    return result


def check_operation(
    names: Sequence[str], operations: Sequence[RecordedOperation], new: LabelOperation
) -> None:
    """Nothing; TaggerError in words for a person if ``new`` cannot be done now. Ask before recording it.

    >>> check_operation(["sea"], [], LabelOperation(kind="add", label="dog", reviewer="ann", client="t", seq=1))
    """
    now = edit_vocabulary(names, operations)
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
                f"{new.label!r} can be merged into another label.{did_you_mean(used, now.names)}"
            )
        return
    owner = now.node(used)
    revived = new.kind == "add" and owner is not None and now.resolve(used) is None
    if owner is not None and not revived and (new.kind == "add" or owner != now.node(new.label)):
        raise TaggerError(
            f"The name {used!r} is or was used for a label ({now.resolve(used)!r}). Choose another."
        )
