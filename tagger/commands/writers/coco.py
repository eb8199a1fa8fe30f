"""COCO files of labels and predictions."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from tagger.commands.writers.base import FormatCapabilities, LabelBatch, TableWriter, batch_formats
from tagger.commands.writers.json_arrays import json_array, json_line, read_json_lines
from tagger.data.images.decoding import UnreadableImage, image_size
from tagger.runs import atomic_write, write_text


@batch_formats.register("coco")
class CocoWriter(TableWriter):
    """COCO file of whole-image labels: an annotation without a box each, with its probability as ``score``.

    Categories are the labels in the run's order, from 1. An image that cannot
    be read is left out: without annotations it would count as an image without labels.
    """

    capabilities = FormatCapabilities(unused_labels=True)

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
                lines.append(json_line([{"file_name": file} | _image_size(self.root / file), boxless]))
        write_text(path, "".join(lines))

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """Images and annotations numbered from 1, in the order of the batches; read line by line."""
        paths = list(batch_paths)
        categories = [{"id": at, "name": name} for at, name in enumerate(self.names, start=1)]

        def images() -> Iterator[dict[str, Any]]:
            for number, (image, _) in enumerate(read_json_lines(paths), start=1):
                yield {"id": number} | image

        def annotations() -> Iterator[dict[str, Any]]:
            number = 0
            for image_id, (_, items) in enumerate(read_json_lines(paths), start=1):
                for item in items:
                    number += 1
                    yield {"id": number, "image_id": image_id} | item

        info = {"description": "labels of whole images, written by tagger"}
        with atomic_write(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(
                f'{{"info": {json.dumps(info)},\n"categories": {json.dumps(categories, ensure_ascii=False)},\n'
            )
            for name, items in (("images", images()), ("annotations", annotations())):
                file.writelines(
                    chain([f'"{name}": '], json_array(items), [",\n" if name == "images" else "}\n"])
                )


def _image_size(path: Path) -> dict[str, int]:
    """Width and height in pixels, from the file's header."""
    try:
        return dict(zip(("width", "height"), image_size(path), strict=True))
    except UnreadableImage:
        return {}
