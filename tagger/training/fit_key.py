"""The key of one network's training: its random seed, its files and its title, each a thing of its own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FitKey:
    """``seed_name`` enters the random seed, ``file_stem`` the names of its files, ``title`` is for people.

    Seed names and file stems are frozen: with others a run would not resume, or would draw other numbers.

    >>> FitKey.fold_model(0, 4)
    FitKey(seed_name='network 1 of 4', file_stem='network-1-of-4', title='network 1 of 4')
    """

    seed_name: str
    file_stem: str
    title: str

    @classmethod
    def fold_model(cls, part: int, num_parts: int) -> "FitKey":
        """Of the network that is trained without one of the parts, which are counted from 0."""
        return cls._of(f"network {part + 1} of {num_parts}")

    @classmethod
    def half(cls, part: int) -> "FitKey":
        """Of the network that is trained without one of two halves (0 or 1)."""
        return cls._of(f"half {part + 1} of 2")

    @classmethod
    def single_network(cls) -> "FitKey":
        """Of the only network of a run."""
        return cls._of("network")

    @classmethod
    def _of(cls, name: str) -> "FitKey":
        return cls(name, name.replace(" ", "-"), name)
