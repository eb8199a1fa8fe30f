"""Reader of label lists: ``annotations/LABEL.txt`` with one image id or file name a line."""

from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.tabular import read_text
from tagger.errors import Problem, TaggerError
from tagger.text import quoted

FOLDER = "annotations"


class LabelListReader:
    """Reader of one text file per label. All images of the data folder are listed; one in no file has no label."""

    def detect(self, images: ImageLookup) -> Path | None:
        """``annotations/`` in the data folder, if it holds lists of images rather than one text file per image."""
        folder = images.root / FOLDER
        if not folder.is_dir():
            return None
        stems = [path.stem for path in _lists(folder)]
        return folder if sum(map(images.has_stem, stems)) * 2 < len(stems) else None

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a folder with text files in it."""
        return path.is_dir() and bool(_lists(path))

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """All lists together. Id 7 means ``im7.jpg`` if 7 is the only number in that name and in no other."""
        lists = _lists(path)
        builder = LongTableBuilder()
        for file in images.files:
            builder.add_image(file)
        num_known = 0
        absent = []
        for list_path in lists:
            location = f"{path.name}/{list_path.name}"
            label = list_path.stem.strip()
            builder.add_label(label, location)
            found: dict[str, None] = {}
            for row, line in enumerate(read_text(list_path).splitlines(), start=1):
                if not line.strip():
                    continue
                file, reason = images.find(line, beside=path, by_number=True)
                if file:
                    found[file] = None
                else:
                    absent.append(line.strip())
                    builder.problems.append(Problem(location, row, reason))
            for file in found:
                builder.add_image(file, yes=[label])
            num_known += len(found)
        if absent and not num_known:
            raise TaggerError(
                f"{path.name}/: none of its {len(absent):,} lines names an image in {images.root}:"
                f" {quoted(absent, 3)}. A line is a file name, or the number in it"
            )
        return builder.build(f"{path.name}/", f"{path.name}/ ({len(lists):,} lists of images, one per label)")


def _lists(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.txt") if p.is_file() and not p.name.startswith("."))
