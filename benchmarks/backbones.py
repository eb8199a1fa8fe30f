"""The backbones that the benchmarks can load, and the settings of each: name, weights file, options of timm.

The weights lie in ``shared/weights`` ($TAGGER_SHARED or ../shared). Figures in the docs name the backbone
they were measured with; ``--backbone NAME`` of a benchmark repeats them.
"""

import argparse
import json
import os
from pathlib import Path

SHARED = Path(os.environ.get("TAGGER_SHARED", Path(__file__).parents[2] / "shared"))
DEFAULT = "tf_efficientnet_lite0"
FILES = {
    "tf_efficientnet_lite0": "tf_efficientnet_lite0.ml_illustrated_in1k.safetensors",
    "mobilenetv2_100": "mobilenetv2_100.coral_tf2_in1k.safetensors",
}
OPTIONS = {
    "mobilenetv2_100": ("backbone.pad_type=same",)
}  # its weights come from TensorFlow, whose padding it needs


def weights_file(name: str) -> Path:
    """The file with the weights of a backbone; SystemExit that says what is missing."""
    if name not in FILES:
        raise SystemExit(f"Unknown backbone {name!r}. Available: {', '.join(FILES)}")
    path = SHARED / "weights" / FILES[name]
    if not path.is_file():
        raise SystemExit(
            f"{path}: no such file. It has the weights of {name}; TAGGER_SHARED names its folder."
        )
    return path


def backbone_settings(name: str, *, random_if_absent: bool = False) -> list[str]:
    """``section.key=value`` for a backbone with its pretrained weights.

    ``random_if_absent``: random weights where there is no file, for measures of speed that do not depend on
    them.
    """
    absent = random_if_absent and name in FILES and not (SHARED / "weights" / FILES[name]).is_file()
    weights = "none" if absent else str(weights_file(name))
    return [f"backbone.name={name}", f"backbone.weights={json.dumps(weights)}", *OPTIONS.get(name, ())]


def add_backbone_option(parser: argparse.ArgumentParser) -> None:
    """``--backbone NAME``."""
    parser.add_argument("--backbone", choices=list(FILES), default=DEFAULT)
