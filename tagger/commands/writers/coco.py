"""COCO and Label Studio files of labels and predictions."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from tagger.commands.writers.base import FormatCapabilities, LabelBatch, TableWriter
from tagger.commands.writers.tables import table_formats
from tagger.data.images.decoding import UnreadableImage, image_size
from tagger.runs import atomic_write, write_text
from tagger.runs.ownership import check_absent

INTERFACE = (
    '<View>\n  <Image name="image" value="$image"/>\n  <Choices name="labels" toName="image" choice="multiple">\n',
    "  </Choices>\n</View>\n",
)
CONFIG = re.compile(r"(?:    <Choice value=(?:\"[^\"\n]*\"|'[^'\n]*')/>\n)*".join(map(re.escape, INTERFACE)))


@table_formats.register("coco")
class CocoWriter(TableWriter):
    """Labels of whole images: an annotation without a box for each, with its probability as ``score``.

    Categories are the labels in the run's order, from 1. An image that cannot be read is left out, as one
    without annotations would count as having no label.
    """

    capabilities = FormatCapabilities(unused=True)

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        self.root = root
        self.names = names

    def write_batch(self, batch: LabelBatch, path: Path) -> None:
        """A line an image: its entry, and its annotations."""
        number = {name: at for at, name in enumerate(self.names, start=1)}
        lines = []
        for row, file in enumerate(batch.table["file"]):
            if row not in batch.unreadable:
                scores = [{"score": score} for score in batch.scores(row)] or [{}] * len(batch.chosen[row])
                boxless = [
                    {"category_id": number[label], "iscrowd": 0} | score
                    for label, score in zip(batch.chosen[row], scores, strict=True)
                ]
                lines.append(_json_line([{"file_name": file} | _image_size(self.root / file), boxless]))
        write_text(path, "".join(lines))

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """Images and annotations numbered from 1, in the order of the parts; read line by line."""
        paths = list(batch_paths)
        categories = [{"id": at, "name": name} for at, name in enumerate(self.names, start=1)]

        def images() -> Iterator[dict[str, Any]]:
            for number, (image, _) in enumerate(_read_json_lines(paths), start=1):
                yield {"id": number} | image

        def annotations() -> Iterator[dict[str, Any]]:
            each = (
                (number, item)
                for number, (_, items) in enumerate(_read_json_lines(paths), start=1)
                for item in items
            )
            for at, (number, item) in enumerate(each, start=1):
                yield {"id": at, "image_id": number} | item

        info = {"description": "labels of whole images, written by tagger"}
        with atomic_write(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(
                f'{{"info": {json.dumps(info)},\n"categories": {json.dumps(categories, ensure_ascii=False)},\n'
            )
            for name, items in (("images", images()), ("annotations", annotations())):
                file.writelines(
                    chain([f'"{name}": '], _json_array(items), [",\n" if name == "images" else "}\n"])
                )


@table_formats.register("label-studio")
class LabelStudioWriter(TableWriter):
    """Tasks with a prediction each; ``NAME.config.xml`` beside them is the labelling interface to set up first.

    Images are named as Label Studio serves local files: set LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT to the
    folder. ``score`` is the lowest probability of the chosen labels, or how sure it is that none applies.
    Labels that people settled are annotations.
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
        write_text(path, "".join(_json_line(self._task(batch, row)) for row in range(len(batch.table))))

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """One array, and the interface."""
        with atomic_write(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(chain(_json_array(_read_json_lines(list(batch_paths))), ["\n"]))
        choices = "".join(f"    <Choice value={_xml_attribute(name)}/>\n" for name in self.names)
        write_text(
            self.config,
            choices.join(INTERFACE),
        )

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


def _image_size(path: Path) -> dict[str, int]:
    """Width and height of the pixels, from the file's head."""
    try:
        return dict(zip(("width", "height"), image_size(path), strict=True))
    except UnreadableImage:
        return {}


def _xml_attribute(text: str) -> str:
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _json_line(item: Any) -> str:
    return json.dumps(item, ensure_ascii=False) + "\n"


def _read_json_lines(paths: list[Path]) -> Iterator[Any]:
    for path in paths:
        with path.open(encoding="utf-8", newline="\n") as file:
            yield from map(json.loads, file)


def _json_array(items: Iterable[Any]) -> Iterator[str]:
    """The pieces of a JSON array, an item a line."""
    yield "["
    for at, item in enumerate(items):
        yield ("," if at else "") + "\n" + json.dumps(item, ensure_ascii=False)
    yield "\n]"
