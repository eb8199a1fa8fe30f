"""Request of the page Write labels: `tagger apply` or `tagger predict`, checked before it begins."""

from dataclasses import dataclass
from pathlib import Path

from tagger.errors import TaggerError
from tagger.runs import MovedRun, RunFolder
from tagger.runs.moved_run import data_folder
from tagger.ui.command_job import JobRequest, tagger_command

TABLES = {
    "csv": ".csv", "tsv": ".tsv", "jsonl": ".jsonl", "parquet": ".parquet", "coco": ".json", "label-studio": ".json",
}  # fmt: skip
FOLDERS = {
    "folders": "a folder for each label, with copies of its photos",
    "folders-link": "a folder for each label, with links to its photos",
    "imagefolder": "image folder for Hugging Face datasets, with copies",
}
SIDECARS = {
    "xmp": "XMP sidecars, NAME.jpg.xmp (digiKam, darktable)",
    "xmp-lightroom": "XMP sidecars, NAME.xmp (Lightroom)",
    "txt": "text sidecars, NAME.txt",
}
TITLES = {
    "csv": "CSV table", "tsv": "TSV table", "jsonl": "JSON lines", "parquet": "Parquet table", "coco": "COCO JSON",
    "label-studio": "Label Studio tasks", **SIDECARS, **FOLDERS,
}  # fmt: skip


@dataclass(frozen=True)
class WriteRequest:
    """Labels to write: command ("apply" or "predict"), format, where to, and the photos that are tagged."""

    kind: str
    format: str
    out: str = ""  # of a table: a path, or a name in ``folder``; sidecars lie beside the photos
    replace: bool = False  # a table that is there; existing sidecars are always merged
    photos: str = ""  # of "predict"


def write_job(request: WriteRequest, run: RunFolder, folder: Path, *, local: bool) -> JobRequest:
    """The command to start. ``folder``: where a bare name goes. Paths are taken only if the app is ``local``.

    TaggerError where a path cannot be what it should.
    """
    photos = _photos(request, run, local=local)
    if request.format in SIDECARS:
        out, existing = photos, ["--on-existing", "merge"]
    else:
        out = _output(request, folder, local=local)
        replaces = (
            request.replace and request.kind == "predict"
        )  # apply replaces its own files, and no others
        existing = ["--on-existing", "overwrite"] if replaces else []
    moved = ["--data", str(run.data)] if isinstance(run, MovedRun) and request.kind == "apply" else []
    command = tagger_command(
        request.kind, *([photos] if request.kind == "predict" else []), "--run", run.path.absolute(),
        "--out", out, "--format", request.format, *existing, *moved,
    )  # fmt: skip
    log = run.path.absolute().parent / f".{run.path.absolute().name}.{request.kind}"
    return JobRequest(request.kind, run.path, out, log, command)


def _photos(request: WriteRequest, run: RunFolder, *, local: bool) -> Path:
    """The folder of photos: that of the run, or the one that was typed."""
    if request.kind == "apply" or not request.photos.strip():
        return data_folder(run).absolute()
    if not local:
        raise TaggerError("Folders can be named only where the app listens on this machine alone.")
    photos = Path(request.photos.strip()).expanduser()
    if not photos.is_absolute() or not photos.is_dir():
        raise TaggerError(
            f"{photos} is not a folder on the machine that the app runs on. Give its whole path."
        )
    return photos


def _output(request: WriteRequest, folder: Path, *, local: bool) -> Path:
    """The file of a table, or a new folder, checked."""
    text = request.out.strip()
    suffix = suffix_of(request.format)
    path = Path(text).expanduser()
    if not text or text.startswith(".") or text.endswith(("/", "\\")) or "\0" in text:
        raise TaggerError(f"{text!r} cannot be the name of a file. Choose another name.")
    if not path.is_absolute() and (path.name != text or "\\" in text):
        raise TaggerError(f"{text}: give a name, or a whole path.")
    if path.is_absolute() and not local:
        raise TaggerError("Paths can be given only where the app listens on this machine alone. Give a name.")
    if suffix and path.suffix.lower() != suffix:
        path = path.with_name(path.name + suffix)
    path = path if path.is_absolute() else folder / path
    if not path.parent.is_dir():
        raise TaggerError(f"The folder {path.parent} does not exist.")
    if path.exists() and not request.replace:
        raise TaggerError(
            f"{path} is there already. Choose another name{', or tick that it may be replaced' if suffix else ''}."
        )
    return path


def suffix_of(format: str) -> str:
    """How the name of a file of this format ends; empty for sidecars and folders.

    >>> suffix_of("coco"), suffix_of("folders")
    ('.json', '')
    """
    return TABLES.get(format, "")


def changes_path(out: str | Path) -> Path:
    """The list of changes that `tagger apply` writes beside a table, or into a folder."""
    out = Path(out)
    return out / "labels.changes.csv" if out.is_dir() else out.with_name(f"{out.stem}.changes.csv")
