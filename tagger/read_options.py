"""The settings that say how unusual label files are read, which every command that reads labels takes."""

import json
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

# Names of separators that are hard to type in a shell.
SEPARATORS = {
    "and": " and ",
    "space": " ",
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "bar": "|",
    "newline": "\n",
}


class Section(BaseModel):
    """Base class of sections: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, frozen=True)


class ReadOptions(Section):
    """How unusual label files are read; every command that reads labels takes these settings."""

    file_column: str = Field("file", min_length=1)
    """The column of a label table that names the photo, or several: `left,right`."""
    labels_column: str = Field("labels", min_length=1)
    """The column that holds a photo's labels, or several: `Primary,Secondary`; without it, or `none`, one a label."""
    label_separator: str = Field("auto", min_length=1)
    """What stands between the labels of a cell: a sign, `space`, `comma`, `none` (one label), or `auto` (told)."""
    yes: tuple[str, ...] = ("1", "true")
    """Cells that mean that a label applies, in a column per label and in `value_column`; `blank` is an empty cell."""
    no: tuple[str, ...] = ("0", "false")
    """Cells that mean that a label does not apply."""
    unknown: tuple[str, ...] = ("blank", "nan", "null", "na", "n/a")
    """Cells that mean that nobody knows. An empty cell is unknown unless `yes` or `no` names `blank`."""
    value_column: str = ""
    """The column that says whether the label of a row applies: 1 yes, 0 no, between unknown. Likely ones are found."""
    label_values: Literal["none", "before", "behind"] = "none"
    """Where a label's value stands in a cell of labels: `0.9:cat` (`before`), `cat:0.9` (`behind`)."""
    cutoff: float | Literal["none"] = "none"
    """The value of `value_column` or `label_values` from which on a label applies; below it does not."""
    columns: tuple[str, ...] = ()
    """Names of the columns where the first line does not name them: `file,labels`; `labels*` is all further ones."""
    header_row: int = Field(1, ge=1, le=1000)
    """The line that names the columns; the lines above it, such as a title, are left out."""
    encoding: str = Field("auto", min_length=1)
    """How the letters of a table are stored, such as `cp1252`; `auto` is UTF-8, or UTF-16 where the file says so."""
    delimiter: str = Field("auto", min_length=1)
    """What stands between columns of a .csv or .tsv: a sign, `space`, `comma`, `semicolon`, `tab`, `bar` or `auto`."""
    ignore_columns: tuple[str, ...] = ()
    """Columns that are no labels, by name or pattern: `width,meta_*`, or a list where a name holds a comma."""
    underscores: Literal["keep", "spaces", "join"] = "keep"
    """Names of labels: as written, `long_hair` read as `long hair` (`spaces`), or the other way (`join`)."""

    pairs: Literal["raw", "share", "separate", "refuse"] = "raw"
    """Files of one shot (`a.NEF` or `a.HEIC` and `a.jpg`): one photo (`raw`: raw files only), photos apart, refused."""

    @property
    def related_columns(self) -> tuple[str, ...]:
        """Columns that say which photos belong together, and in which order; they are no labels."""
        return ()

    @property
    def yes_from(self) -> dict[str, float]:
        """Columns that hold numbers, and the number from which on the label applies."""
        return {}

    def ignores(self, column: str) -> bool:
        """True if ``ignore_columns`` has the column's name or a pattern of it.

        >>> ReadOptions(ignore_columns=["meta_*", "a[1]"]).ignores("meta_a"), ReadOptions().ignores("a")
        (True, False)
        """
        return any(column == rule or fnmatchcase(column, rule) for rule in self.ignore_columns)

    @field_validator("ignore_columns", "columns", mode="before")
    @classmethod
    def _listed(cls, chosen: Any) -> Any:
        """A text is a list with commas."""
        return tuple(filter(None, map(str.strip, chosen.split(",")))) if isinstance(chosen, str) else chosen

    @field_validator("yes", "no", "unknown", mode="before")
    @classmethod
    def _words(cls, chosen: Any) -> Any:
        """A text is a list with commas; a number or a truth value is a word."""
        if isinstance(chosen, str):
            return tuple(filter(None, map(str.strip, chosen.split(","))))
        several = chosen if isinstance(chosen, list | tuple) else [chosen]
        return tuple(str(word).lower() if isinstance(word, bool) else str(word) for word in several)

    @field_validator("encoding")
    @classmethod
    def _codec(cls, name: str) -> str:
        """A name that Python knows."""
        try:
            if name != "auto":
                "".encode(name)
        except (LookupError, ValueError):
            raise ValueError("there is no such encoding; try utf-8, utf-16, cp1252 or latin-1") from None
        return name

    @field_validator("file_column", "labels_column", "value_column", mode="before")
    @classmethod
    def _name(cls, chosen: Any) -> Any:
        """A column may be called 0; several columns are a text with commas, or a list in JSON."""
        if isinstance(chosen, list | tuple):
            names = [str(name) for name in chosen]
            return (
                json.dumps(names, ensure_ascii=False)
                if any("," in name for name in names)
                else ",".join(names)
            )
        return str(chosen) if isinstance(chosen, int) and not isinstance(chosen, bool) else chosen

    @field_validator("label_separator", "delimiter")
    @classmethod
    def _sign(cls, word: str, info: ValidationInfo) -> str:
        """The sign that a word stands for; a delimiter is one sign."""
        sign = SEPARATORS.get(word, word)
        if info.field_name == "delimiter" and word != "auto" and (len(sign) != 1 or sign in '"\r\n'):
            raise ValueError(f"give one sign, or one of {', '.join(SEPARATORS)}, auto")
        return sign
