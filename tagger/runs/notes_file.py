"""``run.json``: what is noted of a run after its training, by ``tagger runs name`` and ``tagger runs move``.

The run's other files stay as the training wrote them, ``config.toml`` with the former data folder too.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.runs.base_folder import ArtifactFolder, reads

NOTES = "run.json"


@dataclass(frozen=True)
class RunNotes:
    """A name that a person gave, the present data folder, and where the parent run is now; each may be empty.

    ``former`` are the earlier names of the run's folder, with ``/`` between them: decisions and tags have them.
    """

    name: str = ""
    data: str = ""
    parent: str = ""
    former: str = ""

    def folder_names(self, present: str) -> set[str]:
        """The present name of the folder and the former ones.

        >>> sorted(RunNotes(former="a/b").folder_names("c")), RunNotes().folder_names("c")
        (['a', 'b', 'c'], {'c'})
        """
        return {present, *self.former.split("/")} - {""}


class NotesFile(ArtifactFolder):
    """The part of a run folder that holds its notes."""

    def save_notes(self, notes: RunNotes) -> None:
        """``run.json``."""
        self._save_json(NOTES, {key: value for key, value in asdict(notes).items() if value})

    @reads(NOTES)
    def load_notes(self) -> RunNotes:
        """What ``save_notes`` wrote; nothing is noted where the file is absent."""
        if not (self.path / NOTES).is_file():
            return RunNotes()
        tree = json.loads(self._read(NOTES))
        values = {key: tree.get(key, "") for key in asdict(RunNotes())} if isinstance(tree, dict) else {}
        if not values or not all(isinstance(value, str) for value in values.values()):
            raise TaggerError(f"{self.path / NOTES}: this is not what tagger wrote. Remove or restore it.")
        return RunNotes(**values)


def with_data_folder(settings: Settings, data: str | Path) -> Settings:
    """The settings with this data folder, if any is named; a label file inside the former one moves along."""
    if not data:
        return settings
    moved = {"path": str(data)}
    labels = Path(settings.data.labels)
    if settings.data.labels and labels.is_relative_to(settings.data.path):
        moved["labels"] = str(Path(data) / labels.relative_to(settings.data.path))
    return settings.model_copy(update={"data": settings.data.model_copy(update=moved)})
