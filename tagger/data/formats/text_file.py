"""The text of a file in its encoding, or an error that says where it is no such text."""

import codecs
import re
from pathlib import Path

from tagger.errors import TaggerError

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".manifest", ".dat", ".data")
LIKELY = "cp1252"  # what spreadsheets write in western countries
CELL_END = re.compile(r"[\n\r,;\t|]")


def read_text(path: Path, encoding: str = "auto") -> str:
    """The text of a file: UTF-8, with or without a byte order mark, UTF-16 with one, or ``encoding``.

    TaggerError with the line where it is no such text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TaggerError(
            f"{path}: cannot be read ({(error.strerror or type(error).__name__).lower()})"
        ) from None
    codec = _codec(data, encoding)
    try:
        text = data.decode(codec).removeprefix("\ufeff")
    except UnicodeError as error:
        raise TaggerError(_not_this_text(path, data, codec, getattr(error, "start", 0))) from None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise TaggerError(
            f"{path.name}, row {row}: there is a NUL byte, so this is not a text file, or it is damaged"
        )
    return text


def _codec(data: bytes, encoding: str) -> str:
    """The codec to read with. What is UTF-8 is read so whatever is set, since corrected labels are written so."""
    if encoding == "auto":
        is_wide = len(data) > 2 and data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        return "utf-16" if is_wide else "utf-8-sig"
    try:
        is_utf8 = "\0" not in data.decode("utf-8-sig")
    except UnicodeError:
        is_utf8 = False
    seven_bits = encoding.lower().replace("-", "").replace("_", "").startswith(("iso2022", "utf7", "hz"))
    return "utf-8-sig" if is_utf8 and not seven_bits else encoding


def _not_this_text(path: Path, data: bytes, codec: str, start: int) -> str:
    """The sentence on a file in another encoding, with what the usual one would make of it."""
    row = data.count(b"\n", 0, start) + 1
    named = "UTF-8" if codec == "utf-8-sig" else codec
    said = f"{path.name}, row {row}: this is not {named} text. Save the file as UTF-8"
    try:
        before, after = data[:start].decode(LIKELY), data[start : start + 80].decode(LIKELY)
    except UnicodeError:
        return said
    word = CELL_END.split(before)[-1] + CELL_END.split(after)[0]
    readable = path.suffix.lower() in TABLE_SUFFIXES and codec == "utf-8-sig" and word.isprintable()
    return f"{said}; or, if {word[:60]!r} is right: --set data.encoding={LIKELY}" if readable else said
