"""Checks of a run folder before a training starts or resumes there."""

from tagger.errors import TaggerError
from tagger.runs import RunFolder


def check_unfinished(folder: RunFolder) -> None:
    """TaggerError if the run is finished."""
    if folder.finished:
        raise TaggerError(f"{folder.path} is finished already; there is nothing to resume.")


def check_new(folder: RunFolder, option: str) -> None:
    """TaggerError if the folder that ``option`` names is a file or a finished run."""
    if folder.path.exists() and not folder.path.is_dir():
        raise TaggerError(f"{option} {folder.path} is a file. Name a new folder.")
    if folder.finished:
        raise TaggerError(f"{folder.path}: there is a run already. Choose another {option}.")


def check_free(folder: RunFolder, option: str) -> None:
    """TaggerError if a run was started there; to be called with the folder locked."""
    check_new(folder, option)
    if folder.exists:
        raise TaggerError(
            f"{folder.path}: there is an unfinished run. Resume it with --resume, or choose another {option}."
        )
    folder.check_claim(option)
