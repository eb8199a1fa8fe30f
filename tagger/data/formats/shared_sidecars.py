"""Sidecars that lie beside several photos: ``a.txt`` beside ``a.jpg`` and ``a.png`` says nothing about either."""

from collections.abc import Sequence

from tagger.data.images.image_files import beside_their_photo
from tagger.errors import Problem


def shared_sidecar_problems(location: str, file: str, same: Sequence[str]) -> list[Problem]:
    """The problem of a sidecar beside the photos ``same``: one, which is given with the first of them.

    >>> str(shared_sidecar_problems("a.txt", "a.jpg", ["a.jpg", "a.png"])[0])[:58]
    "a.txt: left out: it lies beside 'a.jpg' and 'a.png', and d"
    >>> shared_sidecar_problems("a.txt", "a.png", ["a.jpg", "a.png"])
    []
    """
    if file != same[0]:
        return []
    names = f"{', '.join(map(repr, same[:-1]))} and {same[-1]!r}"
    reason = f"left out: it lies beside {names}, and does not say which one it is for"
    one_shot = " If they are one shot: --set data.pairs=share" if beside_their_photo(same, "share") else ""
    way = f"Rename the photos and the sidecar, or name a label file.{one_shot}"
    return [Problem(location, None, f"{reason}. {way}")]
