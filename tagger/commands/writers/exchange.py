"""Predictions for other tools: COCO, which training code reads, and Label Studio, where people check them."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from tagger.commands.writers.part import Part, Says, TableWriter
from tagger.commands.writers.tables import table_formats
from tagger.data.decode import UnreadableImage, image_size
from tagger.runs import replacing, write_text
from tagger.runs.ours import check_absent

INTERFACE = (
    '<View>\n  <Image name="image" value="$image"/>\n  <Choices name="labels" toName="image" choice="multiple">\n',
    "  </Choices>\n</View>\n",
)
CONFIG = re.compile(r"(?:    <Choice value=(?:\"[^\"\n]*\"|'[^'\n]*')/>\n)*".join(map(re.escape, INTERFACE)))


@table_formats.register("coco")
class Coco(TableWriter):
    """Labels of whole images: an annotation without a box for each, with its probability as ``score``.

    Categories are the labels in the run's order, from 1. An image that cannot be read is left out, as one without
    annotations would count as having no label.
    """

    says = Says(unused=True)

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        self.root, self.names = root, names

    def write_part(self, part: Part, path: Path) -> None:
        """A line an image: its entry, and its annotations."""
        number = {name: at for at, name in enumerate(self.names, start=1)}
        lines = []
        for row, file in enumerate(part.table["file"]):
            if row not in part.unreadable:
                scores = [{"score": score} for score in part.scores(row)] or [{}] * len(part.chosen[row])
                boxless = [
                    {"category_id": number[label], "iscrowd": 0} | score
                    for label, score in zip(part.chosen[row], scores, strict=True)
                ]
                lines.append(_line([{"file_name": file} | _size(self.root / file), boxless]))
        write_text(path, "".join(lines))

    def join(self, parts: Iterable[Path], empty: Part, out: Path) -> None:
        """Images and annotations numbered from 1, in the order of the parts; read line by line."""
        paths = list(parts)
        categories = [{"id": at, "name": name} for at, name in enumerate(self.names, start=1)]

        def images() -> Iterator[dict[str, Any]]:
            for number, (image, _) in enumerate(_lines(paths), start=1):
                yield {"id": number} | image

        def annotations() -> Iterator[dict[str, Any]]:
            each = ((number, item) for number, (_, items) in enumerate(_lines(paths), start=1) for item in items)
            for at, (number, item) in enumerate(each, start=1):
                yield {"id": at, "image_id": number} | item

        info = {"description": "labels of whole images, written by tagger"}
        with replacing(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(f'{{"info": {json.dumps(info)},\n"categories": {json.dumps(categories, ensure_ascii=False)},\n')
            for name, items in (("images", images()), ("annotations", annotations())):
                file.writelines(chain([f'"{name}": '], _array(items), [",\n" if name == "images" else "}\n"]))


@table_formats.register("label-studio")
class LabelStudio(TableWriter):
    """Tasks with a prediction each; ``NAME.config.xml`` beside them is the labelling interface to set up first.

    Images are named as Label Studio serves local files: set LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT to the folder.
    ``score`` is the lowest probability of the chosen labels, or how sure it is that none applies. Labels that people
    settled are annotations.
    """

    says = Says()

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        self.out, self.names = out, names
        self.config = out.with_name(f"{out.stem}.config.xml")
        if self.config.exists() and not CONFIG.fullmatch(self.config.read_text("utf-8", "replace")):
            check_absent(out.parent, [self.config.name], "Move it away, or name another --out.")

    def write_part(self, part: Part, path: Path) -> None:
        """A line a task; an image that cannot be read is a task without a prediction."""
        write_text(path, "".join(_line(self._task(part, row)) for row in range(len(part.table))))

    def join(self, parts: Iterable[Path], empty: Part, out: Path) -> None:
        """One array, and the interface."""
        with replacing(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(chain(_array(_lines(list(parts))), ["\n"]))
        choices = "".join(f"    <Choice value={_attribute(name)}/>\n" for name in self.names)
        write_text(
            self.config,
            choices.join(INTERFACE),
        )

    def _task(self, part: Part, row: int) -> dict[str, Any]:
        file, chosen = str(part.table["file"].iat[row]), part.chosen[row]
        task: dict[str, Any] = {"data": {"image": f"/data/local-files/?d={quote(file)}"}}
        if row in part.unreadable:
            return task
        value = {"from_name": "labels", "to_name": "image", "type": "choices", "value": {"choices": chosen}}
        result = {"result": [value] if chosen else []}
        if part.judged:
            return task | {"annotations": [result]}
        probs = part.scores(row)
        score = min(probs) if probs else 1 - max(part.probs_NK[row].tolist(), default=0.0)
        return task | {"predictions": [{"model_version": "tagger", "score": round(score, 6)} | result]}


def _size(path: Path) -> dict[str, int]:
    """Width and height of the pixels, from the file's head."""
    try:
        return dict(zip(("width", "height"), image_size(path), strict=True))
    except UnreadableImage:
        return {}


def _attribute(text: str) -> str:
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _line(item: Any) -> str:
    return json.dumps(item, ensure_ascii=False) + "\n"


def _lines(paths: list[Path]) -> Iterator[Any]:
    for path in paths:
        with path.open(encoding="utf-8", newline="\n") as file:
            yield from map(json.loads, file)


def _array(items: Iterable[Any]) -> Iterator[str]:
    """The pieces of a JSON array, an item a line."""
    yield "["
    for at, item in enumerate(items):
        yield ("," if at else "") + "\n" + json.dumps(item, ensure_ascii=False)
    yield "\n]"
