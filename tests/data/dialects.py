"""Thirty ways of writing one table of labels, as people and programs write them; each with the settings that read it.

A truth is the cell of every photo and label: yes, no or unknown. ``Written`` says what of it the dialect can hold.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from tagger.arrays import NO, UNKNOWN, YES, Cells


@dataclass(frozen=True)
class Truth:
    """Photos, labels and cells (N, K)."""

    files: tuple[str, ...]
    labels: tuple[str, ...]
    labels_NK: Cells

    def chosen(self, n: int) -> list[str]:
        """The labels of a photo."""
        return [label for label, cell in zip(self.labels, self.labels_NK[n], strict=True) if cell == YES]


@dataclass(frozen=True)
class Written:
    """A table: its name and bytes, where the photos lie, what it holds, and the settings for what it cannot show."""

    name: str
    data: bytes
    settings: tuple[str, ...] = ()
    holds_unknown: bool = False
    folders: dict[str, str] = field(default_factory=dict)  # file -> where it lies


def rows_text(rows: Sequence[Sequence[str]], sign: str = ",") -> str:
    """CSV with quotation marks where they are needed."""
    quoted = [
        ['"' + c.replace('"', '""') + '"' if sign in c or '"' in c or "\n" in c else c for c in row]
        for row in rows
    ]
    return "".join(sign.join(row) + "\n" for row in quoted)


def joined(sign: str, word: str) -> Callable[[Truth], Written]:
    """A cell of labels between signs."""

    def write(truth: Truth) -> Written:
        rows = [["file", "labels"], *([f, sign.join(truth.chosen(n))] for n, f in enumerate(truth.files))]
        return Written("labels.csv", rows_text(rows).encode(), (f"label_separator={word}",) if word else ())

    return write


def listed(text_of: Callable[[list[str]], str]) -> Callable[[Truth], Written]:
    """A cell with a list."""

    def write(truth: Truth) -> Written:
        rows = [["file", "labels"], *([f, text_of(truth.chosen(n))] for n, f in enumerate(truth.files))]
        return Written("labels.csv", rows_text(rows).encode())

    return write


def wide(
    yes: str, no: str, unknown: str, *needed: str, encoding: str = "utf-8", sign: str = ","
) -> Callable[[Truth], Written]:
    """A column per label."""
    words = {YES: yes, NO: no, UNKNOWN: unknown}

    def write(truth: Truth) -> Written:
        rows = [["file", *truth.labels]]
        rows += [[f, *(words[c] for c in truth.labels_NK[n].tolist())] for n, f in enumerate(truth.files)]
        return Written(
            "labels.csv", rows_text(rows, sign).encode(encoding), needed, holds_unknown=no != unknown
        )

    return write


def verdicts(name: str) -> Callable[[Truth], Written]:
    """A row for each known cell, with a column that says yes or no."""

    def write(truth: Truth) -> Written:
        rows = [["file", "labels", name]]
        for n, file in enumerate(truth.files):
            for label, cell in zip(truth.labels, truth.labels_NK[n].tolist(), strict=True):
                rows += [[file, label, {YES: "1", NO: "0", UNKNOWN: "0.5"}[cell]]]
        return Written("labels.csv", rows_text(rows).encode(), (f"value_column={name}",), holds_unknown=True)

    return write


def one_a_row(truth: Truth) -> Written:
    """A row for each label of a photo; a photo without labels has a row with an empty cell."""
    rows = [["file", "labels", "author"]]
    for n, file in enumerate(truth.files):
        rows += [[file, label, "Ann"] for label in truth.chosen(n) or [""]]
    return Written("labels.csv", rows_text(rows).encode(), ("label_separator=none",))


def json_lines(truth: Truth) -> Written:
    """Lists of labels and of unknown ones."""
    lines = []
    for n, file in enumerate(truth.files):
        unknown = [label for label, c in zip(truth.labels, truth.labels_NK[n], strict=True) if c == UNKNOWN]
        lines.append(json.dumps({"file": file, "labels": truth.chosen(n), "unknown": unknown}))
    return Written("labels.jsonl", "\n".join(lines).encode(), holds_unknown=True)


def parquet(truth: Truth) -> Written:
    """A Parquet file with lists."""
    import io

    file = io.BytesIO()
    table = pd.DataFrame({"file": truth.files, "labels": [truth.chosen(n) for n in range(len(truth.files))]})
    table.to_parquet(file)
    return Written("labels.parquet", file.getvalue())


def lost_zeros(truth: Truth) -> Written:
    """A wide table with extra columns, whose photos are numbers that a spreadsheet cut: 7.0 for 000007.jpg."""
    files = {f: f"{n:06d}.jpg" for n, f in enumerate(truth.files)}
    cells = {
        label: column.astype(float) for label, column in zip(truth.labels, truth.labels_NK.T, strict=True)
    }
    table = pd.DataFrame({"file": np.arange(len(files), dtype=float)} | cells).replace(UNKNOWN, np.nan)
    return Written("labels.csv", table.to_csv(index=False).encode(), holds_unknown=True, folders=files)


def capitals(truth: Truth) -> Written:
    """Names in capitals with percent signs, in folders of splits that the rows name."""
    files = {f: f"{('train', 'val')[n % 2]}/my {f}" for n, f in enumerate(truth.files)}
    rows = [["file", "labels", "split"]]
    for n, file in enumerate(truth.files):
        name = f"MY%20{file.upper()}"
        rows.append([name, json.dumps(truth.chosen(n)), ("train", "val")[n % 2]])
    return Written("labels.csv", rows_text(rows).encode(), folders=files)


def parts(truth: Truth) -> Written:
    """A column for the first label of a photo, one for the second, and so on."""
    width = max(2, int((truth.labels_NK == YES).sum(1).max()))
    rows = [["file", *(f"label{k}" for k in range(1, width + 1))]]
    for n, file in enumerate(truth.files):
        chosen = truth.chosen(n)
        rows.append([file, *chosen, *[""] * (width - len(chosen))])
    settings = (f"labels_column={','.join(rows[0][1:])}",)
    return Written("labels.csv", rows_text(rows).encode(), settings)


def valued(form: str, where: str) -> Callable[[Truth], Written]:
    """A cell of all labels with their verdicts."""
    values = {YES: "1", NO: "0", UNKNOWN: "0.5"}

    def write(truth: Truth) -> Written:
        rows = [["file", "labels"]]
        for n, file in enumerate(truth.files):
            said = zip(truth.labels, truth.labels_NK[n].tolist(), strict=True)
            rows.append([file, ";".join(form.format(label=x, value=values[cell]) for x, cell in said)])
        data = rows_text(rows).encode()
        return Written("labels.csv", data, (f"label_values={where}",), holds_unknown=True)

    return write


def ragged(truth: Truth) -> Written:
    """Rows of different lengths, without a line of names, with the split of each photo."""
    rows = [[("TRAIN", "TEST")[n % 2], f"gs://b/{f}", *truth.chosen(n)] for n, f in enumerate(truth.files)]
    return Written("labels.csv", rows_text(rows).encode(), ("columns=split,file,labels*",))


def below_title(truth: Truth) -> Written:
    """A column per label below a title and an empty line."""
    table = wide("1", "0", "")(truth)
    return Written("labels.csv", b"Photos of May\n\n" + table.data, ("header_row=3",), holds_unknown=True)


def json_by_photo(truth: Truth) -> Written:
    """An object with the list of labels of each photo."""
    said = {file: truth.chosen(n) for n, file in enumerate(truth.files)}
    return Written("labels.json", json.dumps(said).encode())


DIALECTS: dict[str, Callable[[Truth], Written]] = {
    "bars": joined("|", "bar"),
    "commas": joined(", ", "comma"),
    "semicolons": joined(";", "semicolon"),
    "blanks": joined(" ", "space"),
    "hashes": joined("#", "#"),
    "json": listed(json.dumps),
    "python": listed(repr),
    "choices": listed(lambda names: json.dumps({"choices": names})),
    "bare": listed(lambda names: f"[{', '.join(names)}]"),
    "one a row": one_a_row,
    "json lines": json_lines,
    "parquet": parquet,
    "numbers": wide("1", "0", ""),
    "floats": wide("1.0", "0.0", "", encoding="utf-8-sig", sign=";"),
    "truth values": wide("True", "False", "nan", encoding="utf-16", sign="\t"),
    "yes and no": wide("Yes", "No", "", "yes=Yes", "no=No"),
    "crosses": wide("x", "", "", "yes=x", "no=blank"),
    "minus one": wide("1", "0", "-1", "unknown=-1"),
    "confidence": verdicts("Confidence"),
    "decimal commas": wide("1,0", "0,0", "", sign=";"),
    "percents": wide("100%", "0%", ""),
    "shares": wide("0.9", "0.1", "", "cutoff=0.5"),
    "parts": parts,
    "values before": valued("{value}:{label}", "before"),
    "values behind": valued("{label}:{value}", "behind"),
    "ragged": ragged,
    "below a title": below_title,
    "json by photo": json_by_photo,
    "lost zeros": lost_zeros,
    "capitals": capitals,
}


def place(root: Path, truth: Truth, written: Written) -> Path:
    """The photos and the table below ``root``; the path of the table."""
    for file in truth.files:
        path = root / written.folders.get(file, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.encode())
    (root / written.name).write_bytes(written.data)
    return root / written.name
