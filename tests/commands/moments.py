"""What tests of killed commands share: moments drawn from a seed that is told, and decisions to apply."""

import os
import random
from pathlib import Path

import numpy as np

from tagger.review import Decision, Store
from tagger.runs import RunFolder


def drawn_seed() -> int:
    """``$TAGGER_SEED``, or a new one: pytest prints it where a test fails."""
    seed = int(os.environ.get("TAGGER_SEED") or random.randrange(10**9))
    print(f"moments drawn with TAGGER_SEED={seed}")
    return seed


def empty_store(path: Path) -> str:
    """A store in which nobody has decided yet; its address."""
    Store.open(url := f"sqlite:///{path}").close()
    return url


def decided_store(run: RunFolder, path: Path) -> str:
    """A store with nine decisions on the run's first label; its address."""
    store = Store.open(url := f"sqlite:///{path}")
    cells_NK, hashes = run.load_cells(), run.load_images()["hash"]
    store.record(
        [
            Decision(hash=hashes[n], label=run.load_labels()[0], verdict="no" if cells_NK[n, 0] else "yes", before=0,
                     suggested=None, doubt=None, run="old", reviewer="ann", seconds=None, client="t", seq=int(n))
            for n in np.arange(0, 80, 9)
        ]
    )  # fmt: skip
    store.close()
    return url
