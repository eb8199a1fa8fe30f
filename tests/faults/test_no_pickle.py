"""Nothing that a run, a weights file or a cache holds is ever unpickled: a pickle planted there does not run."""

import ast
import contextlib
import io
import os
import pickle
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from small import train_argv
from untrained import make_run

import tagger
from tagger.data.dataset import read_dataset
from tagger.data.images.hash_cache import load_hash_cache
from tagger.errors import TaggerError
from tagger.model.backbone import make_backbone
from tagger.runs import Checkpoint, RunFolder

ROOT = Path(tagger.__file__).parents[1]
SOURCES = [*(ROOT / "tagger").rglob("*.py"), *(ROOT / "data_tools").rglob("*.py"), ROOT / "app.py"]


class Trap:
    """Unpickled, it makes a folder: whoever finds it knows that a stranger's code ran."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def traps(sprung: Path) -> dict[str, bytes]:
    """{name: bytes} of every sort of file that Python programs unpickle, each with a trap in it."""
    trap, files = Trap(sprung), {}
    files["plain pickle"] = pickle.dumps(trap)
    files["pickle of weights"] = pickle.dumps({"state_dict": trap})
    objects = np.array([trap], dtype=object)
    for name, save in (("npy of objects", np.save), ("npz of objects", _savez)):
        file = io.BytesIO()
        save(file, objects)
        files[name] = file.getvalue()
    for name, zipped in (("torch", True), ("torch, old", False)):
        file = io.BytesIO()
        torch.save(
            {"state_dict": trap, "model": trap, "epoch": trap}, file, _use_new_zipfile_serialization=zipped
        )
        files[name] = file.getvalue()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(trap))
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/code/__torch__.py", f"import os\nos.mkdir({str(sprung)!r})\n")
    files["TorchScript"] = file.getvalue()
    return files


def _savez(file: io.BytesIO, objects: np.ndarray) -> None:
    names = ("probs", "fold", "mean", "spread", "index", "similarity", "files", "facts", "hashes", "version")
    np.savez(file, **dict.fromkeys(names, objects))


def test_the_traps_do_spring_where_they_are_unpickled(tmp_path: Path):
    for number, kind in enumerate(("plain pickle", "npy of objects", "torch")):
        sprung = tmp_path / str(number)
        data = traps(sprung)[kind]
        if kind == "torch":
            torch.load(io.BytesIO(data), weights_only=False)
        elif kind == "npy of objects":
            np.load(io.BytesIO(data), allow_pickle=True)
        else:
            pickle.loads(data)
        assert sprung.is_dir(), kind


@pytest.mark.parametrize(
    "suffix", [".pt", ".pth", ".bin", ".ckpt", ".npz", ".npy", ".safetensors", ".pkl", ".tar"]
)
def test_weights_are_never_unpickled_and_the_error_says_what_to_do(tmp_path: Path, suffix: str):
    for kind, data in traps(sprung := tmp_path / "sprung").items():
        path = tmp_path / f"weights{suffix}"
        path.write_bytes(data)
        with pytest.raises(TaggerError, match=r"not readable as weights|not weights of") as refused:
            make_backbone("test_resnet", str(path), size=32, levels=1)
        assert str(path) in str(refused.value)
        assert "\n" not in str(refused.value)
        assert not sprung.exists(), kind


@pytest.mark.parametrize("key", ["pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path"])
def test_a_run_from_elsewhere_cannot_name_other_weights(tmp_path: Path, key: str, tagger_cli: Any):
    (tmp_path / "evil.pth").write_bytes(traps(sprung := tmp_path / "sprung")["torch"])
    run = make_run(tmp_path)
    value = {"pretrained": "true", "checkpoint_path": repr(str(tmp_path / "evil.pth"))}
    chosen = value.get(key, '{ url = "http://127.0.0.1:9/evil.pth", hf_hub_id = "" }')
    config = run.path / "config.toml"
    config.write_text(config.read_text().replace("[backbone]\n", f"[backbone]\n{key} = {chosen}\n", 1))
    ended = tagger_cli("predict", tmp_path / "photos", "--run", run.path)
    assert ended.code == 2, ended.err
    assert f"backbone.{key}: where weights come from is said by backbone.weights alone" in ended.err
    assert not sprung.exists()


LOADS = {
    "oof.npz": RunFolder.load_oof, "embeddings.npy": RunFolder.load_embeddings, "views.npy": RunFolder.load_views,
    "dynamics.npz": RunFolder.load_dynamics, "neighbours.npz": RunFolder.load_neighbours,
    "images.parquet": RunFolder.load_images, "labels.parquet": RunFolder.load_cells,
    "suspects.parquet": RunFolder.load_suspects, "judged.parquet": RunFolder.load_eval_mask,
    "labels.json": RunFolder.load_vocabulary, "thresholds.json": RunFolder.load_decision_rule,
    "metrics.json": RunFolder.load_metrics, "origin.json": lambda run: Checkpoint(run.path).load_origin(),
    "landmarks.npy": RunFolder.load_landmarks, "alignment.json": RunFolder.load_mean_shape,
    "unaligned.csv": RunFolder.load_unaligned,
    "history.csv": RunFolder.load_history, "unreadable.csv": RunFolder.load_unreadable,
    "config.toml": RunFolder.load_settings, "fingerprints.npy": RunFolder.load_fingerprints,
}  # fmt: skip


@pytest.mark.parametrize("name", LOADS)
def test_no_file_of_a_run_is_unpickled_and_the_error_says_what_to_do(
    finished: Path, tmp_path: Path, name: str
):
    run = RunFolder(shutil.copytree(finished, tmp_path / "run"))
    for kind, data in traps(sprung := tmp_path / "sprung").items():
        (run.path / name).write_bytes(data)
        with pytest.raises(TaggerError, match=r"(Restore it from a copy, or train again)\.$") as refused:
            LOADS[name](run)
        assert str(run.path) in str(refused.value)
        assert not sprung.exists(), kind


def test_every_file_that_a_finished_run_reads_is_in_this_test(finished: Path):
    loads = {name for name in dir(RunFolder) if name.startswith("load_")}
    asked = {method.__name__ for method in LOADS.values()}
    assert loads - asked == {
        "load_labels",
        "load_groups",
        "load_rules",
        "load_constraints",
        "load_threshold_set",
        "load_cell_names",
        "load_notes",
    }


def test_a_model_is_never_unpickled(finished: Path, tmp_path: Path, demo: Path, tagger_cli: Any):
    run = RunFolder(shutil.copytree(finished, tmp_path / "run"))
    for kind, data in traps(sprung := tmp_path / "sprung").items():
        run.model_path.write_bytes(data)
        ended = tagger_cli("predict", demo / "new", "--run", run.path)
        assert ended.code == 2
        assert f"{run.model_path}: not readable as weights" in ended.err
        assert not sprung.exists(), kind


def test_a_parquet_whose_column_names_a_pickle_is_read_without_it(tmp_path: Path):
    """pyarrow before 14 unpickled this (CVE-2023-47248)."""
    kind = {b"ARROW:extension:name": b"arrow.py_extension_type"}
    kind[b"ARROW:extension:metadata"] = pickle.dumps(Trap(sprung := tmp_path / "sprung"))
    columns = {"file": ["a.jpg", "b.jpg"], "labels": ["cat", "dog"]}
    fields = [pa.field(name, pa.string(), metadata=kind) for name in columns]
    pq.write_table(
        pa.table(list(map(pa.array, columns.values())), schema=pa.schema(fields)), tmp_path / "labels.parquet"
    )
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (9, 9), (name[0] == "a" and "red") or "blue").save(tmp_path / name)
    with contextlib.suppress(TaggerError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read_dataset(tmp_path).labels == ("cat", "dog")
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("where", "held"),
    [
        ("pipeline.cross_fit_heads", {"features.npy", "pixels.npy", "fingerprints.npy"}),
        ("network.fit_network.save_file", {"half-1-of-2.pt"}),
        (
            "network.model_init.set_head_groups",
            {"half-1-of-2.npy", "half-1-of-2.dynamics.safetensors", "half-1-of-2.safetensors"},
        ),
    ],
)
def test_no_file_of_a_checkpoint_is_unpickled(
    tmp_path: Path, demo: Path, tagger_cli: Any, where: str, held: set[str]
):
    """A training stopped in the middle; each file that it goes on from becomes a trap."""
    run, calls = tmp_path / "run", iter(range(9))

    def stopped(*args: Any, **kwargs: Any) -> None:
        if where != "network.model_init.set_head_groups" or next(calls) == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"tagger.training.{where}", stopped)
        begun = tagger_cli(
            *train_argv(demo, run, train__epochs=1, head_stage__enabled=where == "pipeline.cross_fit_heads")
        )
    assert begun.code == 130, begun.err
    found = {path.name: path for path in run.rglob("*") if path.suffix in (".npy", ".pt", ".safetensors")}
    read = set(found) & held
    assert read, found
    for name in read:
        whole, kinds = found[name].read_bytes(), traps(sprung := tmp_path / "sprung")
        for kind in ("npz of objects", "torch"):
            found[name].write_bytes(kinds[kind])
            ended = tagger_cli("train", "--resume", "--run", run)
            assert not sprung.exists(), (name, kind)
            assert ended.code == 2, (name, kind, ended.err)
            assert f"{found[name]}: cannot be read" in ended.err
            assert "go on with --resume" in ended.err
        found[name].write_bytes(whole)


def test_the_index_of_hashes_is_made_anew_where_it_holds_a_pickle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / ".tagger").mkdir()
    for kind, data in traps(sprung := tmp_path / "sprung").items():
        (tmp_path / ".tagger" / "files.npz").write_bytes(data)
        assert load_hash_cache(tmp_path).files == [], kind
        assert not sprung.exists(), kind


def test_no_source_unpickles_evaluates_or_asks_a_shell():
    assert len(SOURCES) > 150
    assert [
        f"{path.relative_to(ROOT)}:{found}" for path in SOURCES for found in _dangers(path.read_text("utf-8"))
    ] == []


def test_the_search_for_dangers_finds_them():
    bad = (
        "import pickle", "from pickle import loads", "import joblib", "import marshal", "import dill, shelve",
        "torch.load(p)", "torch.load(p, weights_only=False)", "np.load(p, allow_pickle=True)", "pd.read_pickle(p)",
        "yaml.load(t)", "yaml.load(t, Loader=yaml.Loader)", "yaml.unsafe_load(t)", "eval(t)", "exec(t)",
        "subprocess.run(t, shell=True)", "os.system(t)", "os.popen(t)", "np.load(p, 'r', True)",
        "__import__(t)", "f = eval", "pickle.load(f)", "cloudpickle.loads(b)",
    )  # fmt: skip
    good = "net.eval(); torch.load(p, weights_only=True); np.load(p, allow_pickle=False)"
    good += "; yaml.load(t, Loader=yaml.BaseLoader)"
    assert [line for line in bad if not list(_dangers(line))] == []
    assert list(_dangers(good)) == []


MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"}
NAMES = {"eval", "exec", "__import__"}
CALLS = {"read_pickle", "unsafe_load", "full_load", "system", "popen", "loads_pickle"}


def _dangers(source: str) -> Any:
    """``line: what`` of everything in a source that runs what it reads."""
    for node in ast.walk(ast.parse(source)):
        at = f"{getattr(node, 'lineno', 0)}:"
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
            yield from (f"{at} import {name}" for name in named if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Name) and node.id in NAMES | MODULES:
            yield f"{at} {node.id}"
        elif isinstance(node, ast.Call):
            text = ast.unparse(node.func)
            set_ = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if text.rpartition(".")[2] in CALLS or set_.get("shell", "False") != "False":
                yield f"{at} {text}"
            wanted = {
                "torch.load": ("weights_only", "True"), "np.load": ("allow_pickle", "False"),
                "yaml.load": ("Loader", "yaml.BaseLoader"),
            }.get(text)  # fmt: skip
            if wanted and set_.get(wanted[0]) != wanted[1]:
                yield f"{at} {ast.unparse(node)}"
