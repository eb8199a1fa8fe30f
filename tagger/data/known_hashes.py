"""Hashes of images as another table names them: a file of the same picture has the hash of the earlier file."""

import numpy as np
import pandas as pd


def known_hashes(images: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    """The hash of each image; that of ``others`` where it is another file of a picture there.

    Where the file of ``others`` is among the images, too, the other files of its picture are copies with metadata
    of their own, and keep their hashes. So do all but one of several; the one of the same name is the photo.

    >>> others = pd.DataFrame({"file": ["x"], "hash": ["a"], "picture_hash": ["p"]})
    >>> images = pd.DataFrame({"file": ["w", "x", "y"], "hash": ["b", "c", "d"], "picture_hash": ["p", "p", "q"]})
    >>> known_hashes(images, others).tolist()
    ['b', 'a', 'd']
    """
    hashes = images["hash"].astype(str)
    if "picture_hash" not in others or "picture_hash" not in images:
        return hashes
    strange = images[~hashes.isin(others["hash"]) & (images["picture_hash"] != "")]
    free = others[~others["hash"].isin(hashes)].drop_duplicates("picture_hash").set_index("picture_hash")
    found = strange.join(free[["hash", "file"]].add_prefix("former_"), on="picture_hash").dropna(
        subset=["former_hash"]
    )
    order = np.argsort((found["file"] != found["former_file"]).to_numpy(), kind="stable")
    first = found.iloc[order].drop_duplicates("picture_hash")
    result = hashes.copy()
    result.loc[first.index] = first["former_hash"]
    return result
