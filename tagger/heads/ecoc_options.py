"""Names and rules of the ECOC head's options, and what ``auto`` became in a head that is read."""

from collections.abc import Sequence

from torch import Tensor

from tagger.errors import TaggerError, did_you_mean
from tagger.heads.code_tables import TABLE_CODES


def check_word(option: str, word: object, known: Sequence[str]) -> None:
    """TaggerError, with the nearest one, if an option's word is none of those that it takes."""
    if word not in known:
        raise TaggerError(
            f"head.{option} = {word!r}: there is no such thing.{did_you_mean(str(word), known)}"
            f" Available: {', '.join(known)}"
        )


def has_level(words_KJ: Tensor) -> bool:
    """Whether the last bit of the code words is the one in which all labels agree: half of the squared length.

    >>> import torch
    >>> has_level(torch.tensor([[0.7071, 0.7071], [-0.7071, 0.7071]])), has_level(torch.eye(2))
    (True, False)
    """
    return bool(((words_KJ[:, -1] - 0.5**0.5).abs() < 1e-3).all())


def kind_of_words(words_KJ: Tensor) -> str:
    """What ``auto`` became in a head that is read: words of one size throughout are random ones."""
    even_K = words_KJ.abs().std(dim=1, correction=0) < 1e-3
    return "dense-random" if even_K.float().mean() > 0.5 else "data"


def check_tables(code: str, file: str, attributes: str, binarise: str) -> None:
    """TaggerError if a table is missing, or given where nothing would read it."""
    wanted = {"attributes": "attributes"}.get(code, "file") if code in TABLE_CODES else ""
    if wanted and not {"file": file, "attributes": attributes}[wanted]:
        raise TaggerError(
            f"head.code = {code!r} needs a table: --set head.{wanted}=FILE.csv, a row for each label."
        )
    if file and wanted != "file":
        raise TaggerError(
            f"head.file = {file!r}, but head.code = {code!r} reads no file. Set head.code=file or head.code=hierarchy."
        )
    if code == "hierarchy" and binarise != "none":
        raise TaggerError("head.binarise: a hierarchy has 1, -1 and 0 already. Leave it out.")
