"""Every way in which images are read, file by file, in a process that may die: ``python decoding.py FOLDER
REPORT``.

A line of JSON before each file, and one behind it with what each way said, the seconds of processor time of
the slowest and the peak of the process's memory so far: whoever reads the report knows which file killed
it.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watched import peak_megabytes

from data_tools.describe import header_size
from tagger.data.formats.readers.embedded_metadata import embedded_keywords
from tagger.data.images.decoding import UnreadableImage, load_image, load_preview
from tagger.errors import TaggerError
from tagger.ui.photo_previews import PhotoError, encode_preview


def ways() -> dict[str, Callable[[Path], Any]]:
    """What the commands and the app do with a file."""
    return {
        "train": lambda path: load_image(path, size=192, fit="crop").shape,
        "check": lambda path: load_image(path, size=64).shape,
        "explain": lambda path: load_preview(path, max_side=1024)[0].size,
        "preview": lambda path: len(encode_preview(path, size=512)),
        "stats": lambda path: header_size(path)[1],
        "keywords": embedded_keywords,
    }


def look(path: Path) -> tuple[dict[str, str], float]:
    """(what each way said, seconds of the slowest). Any other exception ends the process."""
    said, slowest = {}, 0.0
    for name, way in ways().items():
        began = time.process_time()
        try:
            said[name] = str(way(path))[:60]
        except (UnreadableImage, PhotoError, TaggerError) as error:
            said[name] = f"! {error}"
        slowest = max(slowest, time.process_time() - began)
    return said, slowest


def main() -> None:
    """All files in order of their names."""
    folder, report = Path(sys.argv[1]), Path(sys.argv[2])
    with report.open("a", encoding="utf-8") as lines:
        for path in sorted(folder.iterdir()):
            lines.write(json.dumps({"begins": path.name}) + "\n")
            lines.flush()
            said, slowest = look(path)
            lines.write(
                json.dumps({"file": path.name, "said": said, "s": slowest, "MB": peak_megabytes()}) + "\n"
            )
            lines.flush()


if __name__ == "__main__":
    main()
