"""Reader of COCO JSON: an image has the category of every object in it.

Boxes, masks, keypoints and attributes are ignored. A crowd (``iscrowd``) gives its label too. A category
without objects is a label, and is reported as one that cannot be learnt.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.readers.annotation_files import (
    AnnotationFileReader,
    ImageEntry,
    add_entries,
    contains_all,
    find_files,
    grouped_problems,
    load_json,
    path_title,
    to_label,
)
from tagger.errors import TaggerError
from tagger.text import counted

COCO_LISTS = ("images", "annotations", "categories")


class CocoReader(AnnotationFileReader):
    """Reader of ``instances_train.json`` and other COCO files, in the data folder or one of its sub-folders."""

    def files(self, path: Path) -> list[Path]:
        """JSON files with the three lists of COCO."""
        marks = [f'"{part}"'.encode() for part in COCO_LISTS]
        return [p for p in find_files(path, ".json") if contains_all(p, *marks, opening=b"{")]

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Every image of the files, with the categories of its objects in all of them."""
        builder = LongTableBuilder()
        num_images = num_objects = 0
        files = self.files(path)
        for file in files:
            num_known, num_here = _read_file(file, images, builder)
            num_images = num_images + num_known
            num_objects = num_objects + num_here
        form = "COCO" if len(files) == 1 else f"{len(files)} COCO files"
        found = f"{form}, {counted(num_images, 'image')}, {counted(num_objects, 'object')}"
        summary = f"{path_title(path)} ({found}; boxes are ignored)"
        return builder.build(path_title(path), summary)


def _read_file(path: Path, images: ImageLookup, builder: LongTableBuilder) -> tuple[int, int]:
    """(images known, objects in them) of one file, added to ``builder``."""
    content = load_json(path)
    wrong: list[str] = []
    lists = {name: _dicts(path, content, name, wrong) for name in COCO_LISTS}
    categories = _add_categories(builder, path, lists["categories"], wrong)
    file_names = _file_names(lists["images"], wrong)
    labels: dict[Hashable, dict[str, None]] = {key: {} for key in file_names}
    num_objects = 0
    for at, annotation in lists["annotations"]:
        image_key = _key(annotation.get("image_id"))
        key = _key(annotation.get("category_id"))
        if image_key is None or key is None:
            missing = "image_id" if image_key is None else "category_id"
            wrong.append(f"'annotations', entry {at} has no {missing}")
        elif image_key not in labels:
            wrong.append(f"an annotation of image {image_key!r}, which is not in 'images'")
        elif key not in categories:
            wrong.append(f"an annotation of category {key!r}, which is not in 'categories'")
        else:
            labels[image_key][categories[key]] = None
            num_objects += 1
    builder.problems += grouped_problems(path.name, wrong)
    entries = (
        ImageEntry(file_names[key], yes=tuple(found), location=f"image {key}")
        for key, found in labels.items()
    )
    return add_entries(builder, path, entries, images), num_objects


def _add_categories(
    builder: LongTableBuilder, path: Path, entries: list[tuple[int, dict[str, Any]]], wrong: list[str]
) -> dict[Hashable, str]:
    """{id: name} of the categories, which become labels; what lacks one of the two goes to ``wrong``."""
    found: dict[Hashable, str] = {}
    for at, category in entries:
        name = to_label(category.get("name"))
        key = _key(category.get("id"))
        if name and key is not None:
            found[key] = name
            builder.add_label(name, path.name)
        else:
            wrong.append(f"'categories', entry {at} has no {'id' if name else 'name'}: left out")
    return found


def _file_names(entries: list[tuple[int, dict[str, Any]]], wrong: list[str]) -> dict[Hashable, str]:
    """{id: file name} of the images; what lacks one of them goes to ``wrong``."""
    found: dict[Hashable, str] = {}
    for at, image in entries:
        key = _key(image.get("id"))
        file_name = image.get("file_name") or image.get("coco_url")
        if key is None or not isinstance(file_name, str):
            wrong.append(f"'images', entry {at} has no {'id' if key is None else 'file_name'}: left out")
        else:
            found[key] = file_name
    return found


def _dicts(path: Path, content: Any, part: str, wrong: list[str]) -> list[tuple[int, dict[str, Any]]]:
    """(1-based index, entry) of one of the three lists; entries that are no objects go to ``wrong``."""
    entries = content.get(part) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise TaggerError(f"{path.name}: this is no COCO file: {part!r} is missing or no list")
    wrong += [
        f"{part!r}, entry {at} is no object: left out"
        for at, e in enumerate(entries, 1)
        if not isinstance(e, dict)
    ]
    return [(at, entry) for at, entry in enumerate(entries, 1) if isinstance(entry, dict)]


def _key(value: Any) -> Hashable | None:
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None
