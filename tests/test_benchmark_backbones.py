"""Benchmarks name the backbone whose weights they load, and say which file is missing."""

import ast
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tagger.model import make_backbone
from tagger.presets import load_settings

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def backbones(shared: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("TAGGER_SHARED", str(shared))
    return runpy.run_path(str(BENCHMARKS / "backbones.py"))


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "mobilenetv2_100"])
def test_a_backbone_is_loaded_with_its_own_weights(name: str, backbones: dict[str, Any]):
    part = load_settings("quick", backbones["backbone_settings"](name)).backbone
    assert part.name == name
    assert Path(part.weights).name.startswith(f"{name}.")
    make_backbone(
        part.name, part.weights, size=64, levels=1, **part.options
    )  # TaggerError if they are another's


def test_absent_weights_and_unknown_names_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAGGER_SHARED", str(tmp_path))
    made = runpy.run_path(str(BENCHMARKS / "backbones.py"))
    with pytest.raises(
        SystemExit, match=r"lite0\..*: no such file. It has the weights of tf_efficientnet_lite0"
    ):
        made["backbone_settings"](made["DEFAULT"])
    with pytest.raises(
        SystemExit, match=r"Unknown backbone 'resnet50'. Available: tf_efficientnet_lite0, mobilenetv2"
    ):
        made["backbone_settings"]("resnet50")
    assert 'backbone.weights="none"' in made["backbone_settings"]("mobilenetv2_100", random_if_absent=True)


def test_no_benchmark_takes_the_first_weights_it_finds():
    for path in BENCHMARKS.glob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        texts = [
            node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert not [text for text in texts if re.fullmatch(r"[a-z0-9_]*\*\.safetensors", text)], path.name
