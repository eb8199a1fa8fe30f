"""Photos of a run told to the review store, so that decisions on their earlier files count for them."""

from pathlib import Path

import pandas as pd

from tagger.data.images.hashes import identify_files
from tagger.review.photo_identity import RunPhotos
from tagger.review.store import Store


def know_photos(store: Store, images: pd.DataFrame, root: str | Path) -> None:
    """Have the store read decisions as those on these images of a run, whose files are in ``root``.

    In a run of an earlier version the pictures of decided photos are looked at now, while their files are unchanged.
    """
    if "hash" not in images:
        return
    hashes = images["hash"].tolist()
    pictures = images["picture_hash"].tolist() if "picture_hash" in images else [""] * len(images)
    decided = set(store.decided_hashes())
    rows = [row for row, hash in enumerate(hashes) if not pictures[row] and hash in decided]
    now = identify_files(root, [images["file"][row] for row in rows])
    for row, hash, picture in zip(rows, now.hashes, now.picture_hashes, strict=True):
        pictures[row] = picture if hash == hashes[row] else ""
    known = [picture or hash for picture, hash in zip(pictures, hashes, strict=True)]
    store.know_photos(RunPhotos(images["file"].tolist(), hashes, known))
