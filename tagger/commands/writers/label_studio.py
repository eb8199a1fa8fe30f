"""Label Studio files: tasks with predictions or annotations, and the labelling interface."""

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from tagger.commands.writers.base import FormatCapabilities, LabelBatch, TableWriter, batch_formats
from tagger.commands.writers.json_arrays import json_array, json_line, read_json_lines
from tagger.runs import atomic_write, write_text
from tagger.runs.ownership import check_absent

INTERFACE = (
    '<View>\n  <Image name="image" value="$image"/>\n  <Choices name="labels" toName="image" choice="multiple">\n',
    "  </Choices>\n</View>\n",
)
CONFIG = re.compile(r"(?:    <Choice value=(?:\"[^\"\n]*\"|'[^'\n]*')/>\n)*".join(map(re.escape, INTERFACE)))


@batch_formats.register("label-studio")
class LabelStudioWriter(TableWriter):
    """Label Studio tasks with a prediction each; ``NAME.config.xml`` beside them is the labelling interface.

    Set up the interface first. Images are named as Label Studio serves local files: set
    LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT to the folder. ``score`` is the lowest probability of the chosen
    labels; where none is chosen, one minus the highest. Labels that people set are annotations.
    """

    capabilities = FormatCapabilities()

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        self.out = out
        self.names = names
        self.config = out.with_name(f"{out.stem}.config.xml")
        if self.config.exists() and not CONFIG.fullmatch(self.config.read_text("utf-8", "replace")):
            check_absent(out.parent, [self.config.name], "Move it away, or name another --out.")

    def write_batch(self, batch: LabelBatch, path: Path) -> None:
        """A line a task; an image that cannot be read is a task without a prediction."""
        write_text(path, "".join(json_line(self._task(batch, row)) for row in range(len(batch.table))))

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """One array of all tasks, and the interface."""
        with atomic_write(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(chain(json_array(read_json_lines(list(batch_paths))), ["\n"]))
        choices = "".join(f"    <Choice value={_xml_attribute(name)}/>\n" for name in self.names)
        write_text(self.config, choices.join(INTERFACE))

    def _task(self, batch: LabelBatch, row: int) -> dict[str, Any]:
        file = str(batch.table["file"].iat[row])
        chosen = batch.chosen[row]
        task: dict[str, Any] = {"data": {"image": f"/data/local-files/?d={quote(file)}"}}
        if row in batch.unreadable:
            return task
        value = {"from_name": "labels", "to_name": "image", "type": "choices", "value": {"choices": chosen}}
        result = {"result": [value] if chosen else []}
        if batch.ground_truth:
            return task | {"annotations": [result]}
        probs = batch.scores(row)
        score = min(probs) if probs else 1 - max(batch.probs_NK[row].tolist(), default=0.0)
        return task | {"predictions": [{"model_version": "tagger", "score": round(score, 6)} | result]}


def _xml_attribute(text: str) -> str:
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
