"""``tagger export``: other programs say of a photo what the run says, and a file that does not is never left."""

import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from untrained import AGES, NAMES, make_run, photos_of

import tagger
from tagger.arrays import sigmoid
from tagger.commands.export import export
from tagger.commands.exporting.export_module import CalibrationModule, DecisionModule, ExportModule
from tagger.commands.exporting.model_files import write_torchscript
from tagger.commands.exporting.parity_check import ParityCheck, make_parity_check
from tagger.commands.serving.predictor import Predictor
from tagger.data import LabelGroup
from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.scoring import Calibration, LabelConstraints, predict_labels
from tagger.scoring.calibration import PlattParams
from tagger.scoring.label_constraints import ExclusiveGroup

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A linear head on one level: what any format can hold."""
    return make_run(tmp_path_factory.mktemp("plain"), "head.name=linear", "image.fit=pad")


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Several ecoc heads, two levels, attention, glimpses, a group with a "none", rules."""
    more = ("head.name=ecoc", "head.bits=8", "backbone.levels=2", "attention.depth=2", "image.fit=crop")
    seen = ("glimpses.count=3", "glimpses.grid=4", "glimpses.size=64", "glimpses.stage=2")
    return make_run(tmp_path_factory.mktemp("rich"), *more, *seen, members=2, groups=AGES)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, plain: RunFolder, rich: RunFolder) -> Any:
    """(kind, format) -> (the run, its exported file or folder), each written once."""
    runs = {"plain": plain, "rich": rich}

    @cache
    def write(kind: str, format: str) -> tuple[RunFolder, Path]:
        return runs[kind], export(runs[kind], tmp_path_factory.mktemp("exported") / "model", format=format)

    return write


def run_onnx(path: Path, images: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    return onnxruntime.InferenceSession(path).run(None, {"images": images})


def agrees(answers: Any, run: RunFolder) -> None:
    """Probabilities and chosen labels of the run's photos are those of ``predict``."""
    table = tagger.load(run).predict(photos_of(run))
    probs_NK, chosen_NK, _ = (np.asarray(part) for part in answers)
    np.testing.assert_allclose(probs_NK, table[list(NAMES)], atol=1e-4)
    model = tagger.load(run)
    expected = predict_labels(table[list(NAMES)].to_numpy(), model.thresholds.values_K, model.constraints)
    np.testing.assert_array_equal(chosen_NK, expected)


def pixels_of(run: RunFolder) -> np.ndarray:
    """The photos as the checks see them: noise comes first, and of what is gone nothing."""
    return make_parity_check(tagger.load(run)).images_NCHW[-3:]


@pytest.mark.parametrize("kind", ["plain", "rich"])
def test_an_onnx_file_tags_as_the_run_does(kind: str, exported: Any):
    import onnx

    run, path = exported(kind, "onnx")
    agrees(run_onnx(path, pixels_of(run)), run)
    onnx.checker.check_model(str(path))
    about = {one.key: json.loads(one.value) for one in onnx.load(path).metadata_props}
    assert about["labels"] == list(NAMES)
    assert about["thresholds"] == list(tagger.load(run).thresholds.values_K)
    assert Calibration.from_json(about["calibration"]) == tagger.load(run).calibration
    assert about["preprocessing"]["fit"] == {"plain": "pad", "rich": "crop"}[kind]
    assert [group["labels"] for group in about["groups"]] == ([["young", "old"]] if kind == "rich" else [])
    assert {"if": "a|b", "then": "old"} in about["rules"]


PARTS = {
    "mlp on a transformer": (
        ["head.name=mlp", "head.hidden=8", "image.tta_hflip=false"],
        {"backbone": "test_vit"},
    ),
    "linear heads on a ConvNeXt": (
        ["backbone.levels=2"],
        {"backbone": "test_convnext", "members": 3, "groups": AGES},
    ),
    "ecoc, same padding": (
        ["head.name=ecoc", "head.bits=8", "backbone.pad_type=same", "image.size=40"],
        {"backbone": "test_efficientnet"},
    ),
}


@pytest.mark.parametrize("parts", PARTS)
def test_every_head_and_kind_of_network_goes_into_onnx(parts: str, tmp_path: Path):
    more, chosen = PARTS[parts]
    run = make_run(tmp_path, *more, **chosen)
    path = export(run, tmp_path / "a.onnx")
    agrees(run_onnx(path, pixels_of(run)), run)
    size = tagger.load(run).settings.image.size
    images = np.random.default_rng(3).random((7, 3, size, size), dtype=np.float32)
    whole = run_onnx(path, images)
    for number in (1, 2):
        for part, of_whole in zip(run_onnx(path, images[:number]), whole, strict=True):
            np.testing.assert_allclose(part, of_whole[:number], atol=1e-4)


def test_weights_too_large_for_one_file_stand_beside_it(plain: RunFolder, tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr("tagger.commands.exporting.model_files.MAX_INLINE_BYTES", 1000)
    path = export(plain, tmp_path / "a.onnx")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.onnx", "a.onnx.data"]
    assert path.stat().st_size < path.with_name("a.onnx.data").stat().st_size
    agrees(run_onnx(path, pixels_of(plain)), plain)
    path.unlink()
    with pytest.raises(TaggerError, match=r"a\.onnx\.data exists already"):
        export(plain, tmp_path / "a.onnx")


@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated")
def test_python_exports_as_it_trains_and_predicts(plain: RunFolder, tmp_path: Path, monkeypatch: Any):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "newest").symlink_to(plain.path)
    monkeypatch.chdir(tmp_path)
    for run in (plain, plain.path, str(plain.path), None):
        path = tagger.export(run, f"{type(run).__name__}.pt", format="torchscript")
        assert path.is_file()


@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated")
@pytest.mark.parametrize("format", ["torchscript", "torch-export"])
def test_torchs_own_files_tag_as_the_run_does(format: str, exported: Any):
    run, path = exported("rich", format)
    extra = {"metadata.json": ""}
    if format == "torchscript":
        module = torch.jit.load(str(path), _extra_files=extra)
    else:
        module = torch.export.load(str(path), extra_files=extra).module()
    agrees(module(torch.from_numpy(pixels_of(run))), run)
    assert json.loads(extra["metadata.json"])["labels"] == list(NAMES)


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of a file, or of the files of a folder; and of the records of archives among them."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        yield file.name, file.read_bytes()
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                yield from ((name, archive.read(name)) for name in archive.namelist())


@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated")
@pytest.mark.parametrize(
    ("kind", "format"),
    [("rich", "onnx"), ("rich", "torchscript"), ("rich", "torch-export"), ("plain", "hub")],
)
def test_an_exported_file_holds_no_path_of_this_machine(kind: str, format: str, exported: Any):
    run, path = exported(kind, format)
    checkout = Path(tagger.__file__).parents[1]
    libraries = Path(torch.__file__).parents[1]
    folders = [checkout, libraries, Path(sys.prefix), Path.home(), run.path, path.parent]
    private = [str(folder).encode() for folder in folders]
    for name, content in contents(path):
        found = [folder for folder in [*private, b"site-packages"] if folder in content]
        assert not found, f"{name}: {found}"
        assert str(os.getpid()) not in name  # of the temporary file


def test_timm_makes_the_network_of_a_hub_folder(exported: Any):
    plain, path = exported("plain", "hub")
    net = timm.create_model(f"local-dir:{path}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_data_config(model=net))
    assert "bicubic" in str(transform).lower()
    about = json.loads((path / "config.json").read_text("utf-8"))
    assert about["label_names"] == list(NAMES)
    assert about["pretrained_cfg"]["crop_mode"] == "border"
    images = torch.from_numpy(pixels_of(plain))
    mean, std = (torch.tensor(about["pretrained_cfg"][key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        found = net((images - mean) / std)
        expected = tagger.load(plain).model.cpu()(images)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("more", "groups", "reason"),
    [
        (["head.name=ecoc"], None, "its head is not linear"),
        (["attention.depth=1"], None, "it has attention"),
        (["backbone.levels=2"], None, "several levels"),
        ([], AGES, "share a softmax"),
    ],
)
def test_a_hub_folder_says_what_it_cannot_hold(
    more: list[str], groups: dict[str, LabelGroup] | None, reason: str, tmp_path: Path
):
    run = make_run(tmp_path, *more, groups=groups)
    with pytest.raises(TaggerError, match=f"{reason}.*--format onnx"):
        export(run, tmp_path / "hub", format="hub")
    assert not (tmp_path / "hub").exists()


def test_a_file_that_disagrees_is_not_left(plain: RunFolder, tmp_path: Path):
    model = Predictor(plain)
    exported = ExportModule(
        model.model, model.calibration, model.thresholds.values_K, model.constraints, tta_hflip=True
    )
    check = make_parity_check(model)
    with pytest.raises(TaggerError, match="its network differs from the run's"):
        write_torchscript(model, exported, replace(check, logits_NK=check.logits_NK + 0.1), tmp_path / "a.pt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda p, c, z: (p, c, z), None),
        (lambda p, c, z: (p, c, z + 0.01), "its network differs"),
        (lambda p, c, z: (p, c, z * np.nan), "its network differs"),
        (lambda p, c, z: (p[:, :1], c, z), "gives"),
        (lambda p, c, z: (p + 0.001, c, z), "its calibration differs"),
        (lambda p, c, z: (p, ~c, z), "chooses other labels"),
        (lambda p, c, z: 1 / 0, "does not run"),
    ],
)
def test_the_check_names_what_disagrees(wrong: Callable[..., Any], complaint: str | None):
    logits_NK = np.array([[1.0, -2.0], [0.3, 3.0]])
    params = Calibration((PlattParams(2.0), PlattParams(0.5, 1.0)))
    probs_NK = params.apply(sigmoid(logits_NK))
    check = ParityCheck(
        np.zeros((2, 3, 4, 4), np.float32), logits_NK, params, np.array([0.5, 0.5]), LabelConstraints()
    )

    def answer(images_NCHW: np.ndarray) -> Any:
        n = len(images_NCHW)
        return wrong(probs_NK[:n], probs_NK[:n] >= 0.5, logits_NK[:n])

    if complaint is None:
        check.verify(answer, "file")
    else:
        with pytest.raises(TaggerError, match=complaint):
            check.verify(answer, "file")


STRUCTURES = [
    LabelConstraints(),
    LabelConstraints((ExclusiveGroup("a", (3, 0), always=True), ExclusiveGroup("b", (1, 4), always=False))),
    LabelConstraints(
        (ExclusiveGroup("a", (0, 1, 2)), ExclusiveGroup("b", (3, 4), always=True)), ((5, 0), (0, 3), (4, 1))
    ),
    LabelConstraints((), ((0, 1), (1, 2), (2, 0))),
]


@pytest.mark.parametrize("constraints", STRUCTURES)
@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0.5, 3.0, 6.0]))
@settings(max_examples=25)
def test_decisions_and_calibration_are_those_of_scoring(
    constraints: LabelConstraints, seed: int, spread: float
):
    rng = np.random.default_rng(seed)
    logits_NK = rng.normal(0, spread, (12, 6))
    params = [PlattParams(float(rng.uniform(0.5, 3)), float(rng.normal())) for _ in range(6)]
    for one in constraints.groups:
        for k in one.columns:
            params[k] = PlattParams(params[one.columns[0]].scale)
    calibration = Calibration(tuple(params), constraints.groups)
    found_NK = CalibrationModule(calibration)(torch.from_numpy(logits_NK)).numpy()
    np.testing.assert_allclose(found_NK, calibration.apply(sigmoid(logits_NK)), atol=1e-6)
    probs_NK, thresholds_K = rng.random((40, 6)), rng.random(6)
    thresholds_K[rng.random(6) < 0.3] = 2.0  # never chosen
    chosen_NK = DecisionModule(thresholds_K, constraints)(torch.from_numpy(probs_NK)).numpy()
    np.testing.assert_array_equal(chosen_NK, predict_labels(probs_NK, thresholds_K, constraints))


def test_without_the_extra_the_line_to_install_it_is_named(
    plain: RunFolder, monkeypatch: Any, tmp_path: Path
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(TaggerError, match=r'pip install "retagger\[onnx\]"'):
        export(plain, tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--format", "onx", "--out", "a.onnx"], "Unknown --format 'onx'. Did you mean 'onnx'?"),
        (["--format", "hub", "--out", "."], "exists already"),
        (["--out", "a.onnx", "--thresholds", "x"], "no threshold set 'x'"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], complaint: str, plain: RunFolder, tagger_cli: Cli):
    end = tagger_cli("export", "--run", plain.path, *arguments)
    assert end.code == 2
    assert complaint in end.err


def test_the_command_says_where_the_file_is(plain: RunFolder, tagger_cli: Cli):
    end = tagger_cli("export", "--run", plain.path, "--format", "torchscript", "--out", "new/a.pt")
    assert end.code == 0, end.err
    assert "a.pt" in end.out
    assert Path("new/a.pt").is_file()
