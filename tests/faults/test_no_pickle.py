"""Nothing that a run, a weights file or a cache holds is ever unpickled: a pickle planted there does not run."""

import ast
import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from untrained import make_run

import tagger
from tagger.data.file_index import load_index
from tagger.errors import TaggerError
from tagger.model.backbone import make_backbone

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
        torch.save({"state_dict": trap, "model": trap, "epoch": trap}, file, _use_new_zipfile_serialization=zipped)
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


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".npz", ".npy", ".safetensors", ".pkl", ".tar"])
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


def test_the_index_of_hashes_is_made_anew_where_it_holds_a_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / ".tagger").mkdir()
    for kind, data in traps(sprung := tmp_path / "sprung").items():
        (tmp_path / ".tagger" / "files.npz").write_bytes(data)
        assert load_index(tmp_path).files == [], kind
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
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
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
