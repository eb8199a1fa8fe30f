"""Backbone weights out of the ``model.safetensors`` of a run, whose backbone is one part of the model."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import nn

from tagger.errors import TaggerError

PREFIX = "backbone.net."  # of the names of a backbone's tensors in a run's model


def is_run_model(path: Path) -> bool:
    """Whether a file is the model of a run; also false if it is not there or cannot be read.

    >>> is_run_model(Path("/nowhere/model.safetensors"))
    False
    """
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            return any(name.startswith(PREFIX) for name in file.keys())  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError):
        return False


def load_run_backbone(net: nn.Module, path: Path, name: str) -> None:
    """Put the backbone's weights of a run's model into ``net``. TaggerError if they are of another architecture."""
    with safe_open(path, framework="pt") as file:
        names = [key for key in file.keys() if key.startswith(PREFIX)]  # noqa: SIM118 (not a dict)
        tensors = {key.removeprefix(PREFIX): file.get_tensor(key) for key in names}
    try:
        net.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:140]
        raise TaggerError(
            f"--weights {path}: the run's network is not {name!r} at this size ({reason} ...)."
            " Take the backbone and settings of that run."
        ) from None
