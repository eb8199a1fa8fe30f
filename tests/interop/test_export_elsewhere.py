"""What ``tagger export`` writes is opened by programs that know nothing of tagger."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file
from untrained import AGES, NAMES, make_run

import tagger
from tagger.commands.export import export
from tagger.commands.exporting.parity_check import make_parity_check
from tagger.runs import RunFolder

OPEN = {
    "torchscript": """
module = torch.jit.load(sys.argv[1], _extra_files=extra)
""",
    "torch-export": """
module = torch.export.load(sys.argv[1], extra_files=extra).module()
""",
}
ALONE = """
import json, sys
sys.modules.update(dict.fromkeys(("tagger", "timm", "onnx", "onnxruntime")))  # from now on importing one is an error
import numpy, torch
extra = {"metadata.json": ""}
%s
probs, chosen, logits = module(torch.from_numpy(numpy.load(sys.argv[2])))
labels = json.loads(extra["metadata.json"])["labels"]
numpy.savez(sys.argv[3], probs=probs.numpy(), chosen=chosen.numpy(), labels=labels)
"""


@pytest.mark.parametrize("format", OPEN)
def test_torch_alone_opens_its_files(format: str, tmp_path: Path):
    more = ("head.name=ecoc", "head.bits=8", "attention.depth=1", "image.fit=crop")
    run = make_run(tmp_path, *more, members=2, groups=AGES)
    path, images = (
        export(run, tmp_path / "model.pt2", format=format),
        make_parity_check(tagger.load(run)).images_NCHW[-3:],
    )
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-W", "ignore", "-c", ALONE % OPEN[format], path, "images.npy", "found.npz"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    found, table = np.load(tmp_path / "found.npz"), tagger.load(run).predict(tmp_path / "photos")
    np.testing.assert_allclose(found["probs"], table[list(NAMES)], atol=1e-4)
    named = ["|".join(found["labels"][chosen_K]) for chosen_K in found["chosen"]]
    assert named == list(table["labels"])


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub folder of a run whose folder's name is no plain YAML."""
    folder = tmp_path_factory.mktemp("plain")
    run = make_run(folder, "head.name=linear", "backbone.pad_type=same", backbone="mobilenetv2_035")
    run = RunFolder(run.path.rename(folder / "a: b #1"))
    return export(run, folder / "hub", format="hub")


def test_a_hub_folder_is_safetensors_and_json(hub: Path):
    about, weights = (
        json.loads((hub / "config.json").read_text("utf-8")),
        load_file(hub / "model.safetensors"),
    )
    net = timm.create_model(about["architecture"], **about["model_args"]).eval()
    net.load_state_dict(weights)
    local = timm.create_model(f"local-dir:{hub}", pretrained=True).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(net(images), local(images))
    assert about["label_names"] == list(NAMES)


def test_the_card_of_a_hub_folder_has_the_hubs_fields(hub: Path):
    """https://huggingface.co/docs/hub/model-cards: YAML between two lines of dashes, then Markdown."""
    text = (hub / "README.md").read_text("utf-8")
    _, front, card = text.split("---\n", 2)
    fields = yaml.safe_load(front)
    assert text.startswith("---\n")
    assert fields["library_name"] == "timm"
    assert fields["pipeline_tag"] == "image-classification"
    assert {"timm", "image-classification"} <= set(fields["tags"])
    assert "# a: b #1" in card
    for name in NAMES:
        assert " ".join(name.split()) in card


def test_the_hubs_own_reader_takes_the_card(hub: Path):
    cards = pytest.importorskip("huggingface_hub").ModelCard
    data = cards((hub / "README.md").read_text("utf-8")).data
    assert (data.library_name, data.pipeline_tag) == ("timm", "image-classification")


def test_the_lines_in_the_card_run(hub: Path):
    lines = [
        line[4:] for line in (hub / "README.md").read_text("utf-8").splitlines() if line.startswith("    ")
    ]
    scope: dict[str, object] = {}
    exec("\n".join(lines).replace("THIS_FOLDER", str(hub)), scope)
    assert callable(scope["transform"])
