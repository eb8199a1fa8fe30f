"""Seeds: the same names give the same numbers in every process, other names give others."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from tagger.training.seeds import rng_of, seed_of


@given(st.integers(0, 2**40), st.text(), st.integers(0, 1000))
def test_a_seed_fits_into_every_generator(seed: int, name: str, number: int):
    assert 0 <= seed_of(seed, name, number) < 2**63


def test_other_names_and_other_seeds_draw_other_numbers():
    seeds = [
        seed_of(s, name, e) for s in range(5) for name in ("network", "part 1", "part 11") for e in range(20)
    ]
    assert len(set(seeds)) == len(seeds)
    assert rng_of(0, "a").random() == rng_of(0, "a").random() != rng_of(0, "b").random()


def test_a_seed_is_the_same_in_another_process():
    code = "from tagger.training.seeds import seed_of; print(seed_of(3, 'network', 'epoch', 7))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) == seed_of(3, "network", "epoch", 7)
