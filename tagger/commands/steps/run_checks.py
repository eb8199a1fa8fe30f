"""Checks of a run folder before a training starts or resumes there."""

from tagger.errors import TaggerError
from tagger.runs import RunFolder


def check_unfinished(folder: RunFolder) -> None:
    """TaggerError if there is nothing to go on with."""
    if folder.finished:
        raise TaggerError(f"{folder.path} is finished already; there is nothing to resume.")


def check_new(folder: RunFolder, option: str) -> None:
    """TaggerError if no run can be begun in the folder that ``option`` named, whoever is at work there."""
    if folder.path.exists() and not folder.path.is_dir():
        raise TaggerError(f"{option} {folder.path}: this is a file. Name a new folder.")
    if folder.finished:
        raise TaggerError(f"{folder.path}: there is a run already. Choose another {option}.")


def check_free(folder: RunFolder, option: str) -> None:
    """TaggerError if a run was begun there, now that nobody else is at work there."""
    check_new(folder, option)
    if folder.exists:
        raise TaggerError(
            f"{folder.path}: there is a run already. Go on with it: --resume. Or choose another {option}."
        )
    folder.check_claim(option)
