"""Derive a random seed for each named purpose from the run's seed, so that a resumed run draws the same.

Seeds are set where numbers are drawn: first weights in ``network/model_init.py``, epochs in
``network/train_network.py``, heads in ``head/train_head.py``.
"""

import hashlib

import numpy as np


def seed_of(seed: int, *names: str | int) -> int:
    """A 63-bit seed for what ``names`` describe.

    >>> seed_of(0, "fit", 1) == seed_of(0, "fit", 1) != seed_of(0, "fit", 2)
    True
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def rng_of(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy's generator with that seed."""
    return np.random.default_rng(seed_of(seed, *names))
