"""Digests of results: what a file means, as hashes that two versions of the code can be compared by.

Used by ``same_results.py``, which says what is compared and what is left out.
"""

import csv
import hashlib
import json
import re
import sqlite3
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

# For people, or different each time
LEFT_OUT = {"reason", "note", "notes", "time", "seconds", "retrained_from"}
SKIPPED = {"log.txt", "README.md", "config.toml"}
NOISE = (5, 3, 32, 32)  # images of the runs' size
DEEPER = {"metrics.json", "compare.json", "evaluate.json"}


class Digests:
    """Hashes by name; paths of the folder of work are made equal first."""

    def __init__(self, work: Path):
        self.work = work
        self.found: dict[str, str] = {}
        self.local_paths: list[str] = []
        self.complaints: list[str] = []

    def add(self, name: str, content: bytes | str) -> None:
        """Keep the hash of a content."""
        if isinstance(content, str):
            content = content.replace(str(self.work), "WORK").encode()
        self.found[name] = hashlib.sha256(content).hexdigest()

    def add_array(self, name: str, array: np.ndarray) -> None:
        """Keep the hash of an array: type, shape and values."""
        array = np.ascontiguousarray(array)
        self.add(name, f"{array.dtype.str} {array.shape} ".encode() + array.tobytes())

    def add_json(self, name: str, tree: Any, *, depth: int = 1) -> None:
        """Keep a hash for each key of a JSON value, down to a depth."""
        if depth and isinstance(tree, dict):
            for key, value in tree.items():
                if key not in LEFT_OUT:
                    self.add_json(f"{name}: {key}", value, depth=depth - 1)
        else:
            self.add(name, json.dumps(stripped(tree), ensure_ascii=False))

    def same(self, one: str, two: str) -> None:
        """Complain about whatever differs between two names' hashes, such as of a run and its resumed twin."""
        first, second = ({key[len(stem) + 1 :]: value for key, value in self.found.items()
                          if key.startswith(f"{stem} ")} for stem in (one, two))  # fmt: skip
        for key in sorted(first.keys() | second.keys()):
            if first.get(key) != second.get(key):
                self.complaints.append(f"{one} and {two} are not the same: {key}")

    def differences(self, before: dict[str, str]) -> Iterator[str]:
        """A line for each name whose hash differs, is gone or is new."""
        for name in sorted(before.keys() | self.found.keys()):
            if name not in self.found:
                yield f"gone: {name}"
            elif name not in before:
                yield f"new: {name}"
            elif before[name] != self.found[name]:
                yield f"differs: {name}"


def stripped(tree: Any) -> Any:
    """A JSON value without what is for people or different each time."""
    if isinstance(tree, dict):
        return {key: stripped(value) for key, value in tree.items() if key not in LEFT_OUT}
    return [stripped(value) for value in tree] if isinstance(tree, list) else tree


def digest_tree(digests: Digests, name: str, path: Path) -> None:
    """Hash a file, or all files below a folder."""
    if path.is_file():
        digest_file(digests, name, path)
        return
    for file in sorted(path.rglob("*")):
        if file.is_file() and file.name not in SKIPPED:
            digest_file(digests, f"{name} {file.relative_to(path).as_posix()}", file)


def digest_file(digests: Digests, name: str, path: Path) -> None:
    """Hash the meaning of one file."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        digests.add(f"{name}: rows", str(table.num_rows))
        for column in table.column_names:
            if column not in LEFT_OUT:
                digests.add(
                    f"{name}: {column}", f"{table.schema.field(column).type} {table[column].to_pylist()!r}"
                )
    elif path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                digests.add_array(f"{name}: {key}", arrays[key])
    elif path.suffix == ".json":
        depth = 2 if path.name in DEEPER else 1
        digests.add_json(name, json.loads(path.read_text("utf-8")), depth=depth)
    elif path.parent.name == "plots":
        digests.add(name, "drawn")
    elif path.suffix == ".csv" and LEFT_OUT & {*path.read_text("utf-8").split("\n")[0].split(",")}:
        with path.open(newline="", encoding="utf-8") as table:
            for row in (rows := list(csv.DictReader(table))):
                row |= dict.fromkeys(LEFT_OUT & row.keys(), "")
        digests.add(name, json.dumps(rows))
    elif path.suffix in (".csv", ".tsv", ".jsonl", ".txt", ".xmp"):
        digests.add(name, path.read_bytes().decode("utf-8"))
    else:
        digests.add(name, path.read_bytes())


def digest_store(digests: Digests, name: str, path: Path) -> None:
    """Hash the rows of a review store, without their times."""
    with sqlite3.connect(path) as connection:
        for table in ("decisions", "label_operations"):
            found = connection.execute(f"SELECT * FROM {table} ORDER BY id")
            columns = [column[0] for column in found.description]
            rows = [[str(x) for c, x in zip(columns, row, strict=True) if c not in LEFT_OUT] for row in found]
            digests.add_json(f"{name}: {table}", [columns, *rows])
    connection.close()


def digest_export(digests: Digests, name: str, path: Path, form: str) -> None:
    """Hash what an exported model says of noise, and its metadata; note every path of this machine in its files."""
    import torch

    torch.set_num_threads(1)
    images = np.random.default_rng(0).random(NOISE, dtype=np.float32)
    if form == "onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        metadata: Any = session.get_modelmeta().custom_metadata_map
        answers = dict(
            zip(
                (one.name for one in session.get_outputs()),
                session.run(None, {"images": images}),
                strict=True,
            )
        )
    elif form == "hub":
        import timm

        net = timm.create_model(f"local-dir:{path}", pretrained=True).eval()
        metadata = json.loads((path / "config.json").read_text("utf-8"))
        with torch.inference_mode():
            answers = {"scores": net(torch.from_numpy(images)).numpy()}
        digests.add(f"{name}: weights", (path / "model.safetensors").read_bytes())
    else:
        extra = {"metadata.json": ""}
        if form == "torch-export":
            module: Any = torch.export.load(path, extra_files=extra).module()
        else:
            module = torch.jit.load(str(path), _extra_files=extra)
        metadata = json.loads(extra["metadata.json"])
        with torch.inference_mode():
            answers = {str(n): part.numpy() for n, part in enumerate(module(torch.from_numpy(images)))}
    digests.add_json(f"{name}: metadata", metadata)
    for key, array in answers.items():
        digests.add_array(f"{name}: {key}", array)
    if paths := local_paths(path, digests.work):
        digests.local_paths.append(f"{name} {paths}")


def local_paths(path: Path, work: Path) -> str:
    """How many paths of this machine a file, an archive or a folder holds, with an example; "" for none."""
    if path.is_dir():
        contents = [(file.name, file.read_bytes()) for file in sorted(path.rglob("*")) if file.is_file()]
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            contents = [(entry, archive.read(entry)) for entry in archive.namelist()]
    else:
        contents = [(path.name, path.read_bytes())]
    homes = {str(work), sys.prefix, sys.base_prefix, str(Path.home()), *sys.path}
    known = "|".join(re.escape(home) for home in sorted(homes, key=len, reverse=True) if len(home) > 5)
    pattern = re.compile(rf"(?<![\w./-])(?:(?:{known})(?:/[\w./-]+|\b)|/[\w./-]+\.py\b)".encode())
    found = [(entry, hit.decode()) for entry, content in contents for hit in pattern.findall(content)]
    return f"({len(found):,}, such as {found[0][1]} in {found[0][0]})" if found else ""
