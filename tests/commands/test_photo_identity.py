"""Decisions belong to the picture: photos that were tagged, rated, rotated by flag, renamed or moved keep them."""

import random
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps
from small import options

import tagger
from tagger.commands.suspects import suspects
from tagger.data.formats.xmp import read_keywords
from tagger.review import Decision, Store, default_url
from tagger.runs import RunFolder
from tagger.ui.app_state import open_app_state

Cli = Callable[..., Any]


class Reviewed(NamedTuple):
    """A run with a data folder of its own, and decisions that turn a label of some photos over."""

    run: RunFolder
    data: Path
    label: str
    decided: dict[str, str]  # file -> yes or no


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(data, run) of a training on JPEG, PNG and TIFF photos; to be copied only."""
    from data_tools.demo import make_demo

    root = tmp_path_factory.mktemp("identity")
    made = make_demo(root / "made", num_images=48, num_new=1, size=32)
    labels = pd.read_csv(made / "labels.csv", keep_default_na=False)
    data = root / "data"
    data.mkdir()
    names = {}
    for n, file in enumerate(labels["file"]):
        suffix = (".jpg", ".png", ".tif", ".webp")[n % 4]
        names[file] = f"p{n:03d}{suffix}"
        Image.open(made / file).convert("RGB").save(
            data / names[file], **({"lossless": True} if suffix == ".webp" else {})
        )
    labels.assign(file=labels["file"].map(names)).to_csv(data / "labels.csv", index=False)
    run = tagger.train(
        data,
        run=root / "run",
        preset="quick",
        backbone="test_resnet",
        weights="none",
        overrides=options(train__epochs=0),
    )
    suspects(run)
    return data, run.path


@pytest.fixture
def reviewed(trained: tuple[Path, Path], tmp_path: Path) -> Reviewed:
    """A copy of the training, with eight decisions."""
    data = shutil.copytree(trained[0], tmp_path / "data")
    run = RunFolder(shutil.copytree(trained[1], tmp_path / "run"))
    settings = run.load_settings()
    run.save_settings(
        settings.model_copy(update={"data": settings.data.model_copy(update={"path": str(data)})})
    )
    return Reviewed(run, data, run.load_labels()[0], decide(run, data))


def decide(run: RunFolder, data: Path, rows: range = range(0, 32, 4), first: int = 0) -> dict[str, str]:
    """Turn label 0 of some rows over; file -> the new value."""
    images, cells_NK, label = run.load_images(), run.load_cells(), run.load_labels()[0]
    found = {images["file"][row]: "no" if cells_NK[row, 0] == 1 else "yes" for row in rows}
    with closing(Store.open(default_url(data))) as store:
        store.record(
            [Decision(hash=images["hash"][row], label=label, verdict=found[images["file"][row]], before=0, suggested=1,
                      doubt=None, run="run", reviewer="ann", seconds=None, client="c", seq=first + row) for row in rows]
        )  # fmt: skip
    return found


def write_metadata(path: Path, orientation: int = 1) -> None:
    """A description and an orientation written into a file; the stored pixels stay byte for byte the same."""
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "edited elsewhere", orientation
    before = path.read_bytes()
    if path.suffix == ".jpg":
        body = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
        path.write_bytes(before[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body + before[2:])
    elif path.suffix == ".tif":
        with Image.open(path) as image:
            image.load()
            image.save(path, tiffinfo={0x010E: "edited elsewhere", 0x0112: orientation})
    else:
        with Image.open(path) as image:
            image.load()
            image.save(path, exif=exif, **({"lossless": True} if path.suffix == ".webp" else {}))
    assert path.read_bytes() != before


def written(table: Path, label: str) -> dict[str, str]:
    """File -> yes or no in a table that ``apply`` wrote."""
    rows = pd.read_csv(table, keep_default_na=False, dtype=str)
    if "labels" in rows:
        return {
            file: "yes" if label in cell.split("|") else "no"
            for file, cell in zip(rows["file"], rows["labels"], strict=True)
        }
    return {
        file: "yes" if cell == "1" else "no" for file, cell in zip(rows["file"], rows[label], strict=True)
    }


def apply(reviewed: Reviewed, cli: Cli, *more: str | Path, code: int = 0) -> dict[str, str]:
    """``tagger apply``: what is written, by the file's name without folders."""
    end = cli("apply", "--run", reviewed.run.path, "--out", "out.csv", *more)
    assert end.code == code, end.out + end.err
    return {Path(file).name: value for file, value in written(Path("out.csv"), reviewed.label).items()}


def test_metadata_in_the_files_orphans_nothing(reviewed: Reviewed, tagger_cli: Cli):
    for path in sorted(reviewed.data.glob("p*")):
        write_metadata(path)
    found = apply(reviewed, tagger_cli)
    assert {file: found[file] for file in reviewed.decided} == reviewed.decided
    end = tagger_cli("retrain", "--run", reviewed.run.path, "--out", "again")
    assert end.code == 0, end.err
    assert "8 decisions" in end.out
    assert "features computed anew" not in end.out  # nothing looks different
    again = RunFolder("again")
    images, cells_NK = again.load_images(), again.load_cells()
    assert {
        f: "yes" if cells_NK[n, 0] == 1 else "no"
        for n, f in enumerate(images["file"])
        if f in reviewed.decided
    } == (reviewed.decided)
    state = open_app_state(reviewed.run.path)
    for row in range(len(images)):
        view = state.session.image(row)
        assert len(view.history) == (view.file in reviewed.decided)
        assert state.previews.preview(view.file, view.hash, size=128)[:2] == b"\xff\xd8"


def test_a_new_training_after_metadata_knows_the_decisions(reviewed: Reviewed, tagger_cli: Cli):
    apply(reviewed, tagger_cli)  # the store learns the pictures
    for path in sorted(reviewed.data.glob("p*")):
        write_metadata(path)
    settings = options(train__epochs=0)
    fresh = tagger.train(
        reviewed.data, run="fresh", preset="quick", backbone="test_resnet", weights="none", overrides=settings
    )
    assert not set(fresh.load_images()["hash"]) & set(reviewed.run.load_images()["hash"])
    found = apply(Reviewed(fresh, *reviewed[1:]), tagger_cli)
    assert {file: found[file] for file in reviewed.decided} == reviewed.decided
    more = decide(fresh, reviewed.data, range(1, 32, 4), first=100)
    found = apply(reviewed, tagger_cli)  # the earlier run knows what was decided on the new one
    assert {file: found[file] for file in more} == more
    result = tagger.compare(reviewed.run, fresh)
    tests = [set(run.load_images().query("split == 'test'")["file"]) for run in (reviewed.run, fresh)]
    assert result["num_images"] == len(set.intersection(*tests)) > 0


def test_a_photo_rotated_by_its_flag_is_learnt_as_it_is_shown(reviewed: Reviewed, tagger_cli: Cli):
    rotated = ["p001.png", "p004.jpg"]
    for file in rotated:
        write_metadata(reviewed.data / file, orientation=6)
    write_metadata(reviewed.data / "p008.jpg")
    end = tagger_cli("retrain", "--run", reviewed.run.path, "--out", "again")
    assert end.code == 0, end.err
    assert "2 photos look different" in end.out
    before, after = reviewed.run.load_views(), RunFolder("again").load_views()
    files = reviewed.run.load_images()["file"].tolist()
    same = [n for n, file in enumerate(files) if file not in rotated]
    assert np.array_equal(before[:, same], after[:, same])
    for file in rotated:
        assert not np.array_equal(before[:, files.index(file)], after[:, files.index(file)])
    again = tagger_cli("retrain", "--run", "again", "--out", "third")
    assert again.code == 0, again.err
    assert "features computed anew" not in again.out


def test_without_changes_retraining_gives_the_same_bytes(reviewed: Reviewed, tagger_cli: Cli):
    for out in ("one", "two"):
        assert tagger_cli("retrain", "--run", reviewed.run.path, "--out", out).code == 0
        if out == "one":
            write_metadata(reviewed.data / "p000.jpg")
    for name in ("model.safetensors", "oof.npz", "thresholds.json", "embeddings.npy"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes(), name


@pytest.mark.parametrize("touched", [False, True])
def test_renamed_and_moved_photos_are_found_by_what_they_are(
    touched: bool, reviewed: Reviewed, tagger_cli: Cli
):
    rng = random.Random(0)
    names = {}
    for n, path in enumerate(sorted(reviewed.data.glob("p*"))):
        if touched:
            write_metadata(path)
        names[path.name] = f"{('', 'sub/', 'other/deep/')[n % 3]}{rng.randrange(10**6)}{path.suffix}"
        (reviewed.data / names[path.name]).parent.mkdir(parents=True, exist_ok=True)
        path.rename(reviewed.data / names[path.name])
    end = tagger_cli("apply", "--run", reviewed.run.path, "--out", "xmp", "--format", "xmp")
    assert end.code == 0, end.out + end.err
    assert "48 photos found under another name" in end.out
    sidecars = {p.relative_to("xmp").as_posix().removesuffix(".xmp") for p in Path("xmp").rglob("*.xmp")}
    assert sidecars == set(names.values())
    for file, value in reviewed.decided.items():
        keywords = read_keywords((Path("xmp") / f"{names[file]}.xmp").read_bytes())
        assert (reviewed.label in keywords) == (value == "yes")
    end = tagger_cli("retrain", "--run", reviewed.run.path, "--out", "again")
    assert end.code == 0, end.err
    assert set(RunFolder("again").load_images()["file"]) == set(names.values())
    state = open_app_state(reviewed.run.path)
    for row in range(48):
        view = state.session.image(row)
        assert state.previews.preview(view.file, view.hash, size=128)


def test_photos_that_changed_places_keep_their_own_decisions(reviewed: Reviewed, tagger_cli: Cli):
    first, second = reviewed.data / "p000.jpg", reviewed.data / "p004.jpg"
    before = apply(reviewed, tagger_cli)
    first.rename(reviewed.data / "x.jpg")
    second.rename(first)
    (reviewed.data / "x.jpg").rename(second)
    after = apply(reviewed, tagger_cli)
    assert (after["p000.jpg"], after["p004.jpg"]) == (before["p004.jpg"], before["p000.jpg"])
    assert {f: v for f, v in after.items() if f not in ("p000.jpg", "p004.jpg")} == (
        {f: v for f, v in before.items() if f not in ("p000.jpg", "p004.jpg")}
    )


def test_what_is_not_found_is_named_and_its_decisions_kept(reviewed: Reviewed, tagger_cli: Cli):
    (reviewed.data / "p000.jpg").unlink()
    (reviewed.data / "p001.png").unlink()
    end = tagger_cli("apply", "--run", reviewed.run.path, "--out", "txt", "--format", "txt")
    assert end.code == 3
    assert "2 photos of" in end.out
    assert "p000.jpg: it is not there, under any name" in end.out
    assert f"{reviewed.label!r} of p000.jpg" in end.out
    assert len(list(Path("txt").glob("*.txt"))) == 46
    with closing(Store.open(default_url(reviewed.data))) as store:
        assert len(store.decisions()) == 8
    assert tagger_cli("retrain", "--run", reviewed.run.path, "--out", "again").code == 0  # features are known


def edit(path: Path, change: Callable[[Image.Image], Image.Image]) -> None:
    with Image.open(path) as image:
        change(image.convert("RGB")).save(path)


def test_an_edited_photo_is_proposed_and_taken_only_if_accepted(reviewed: Reviewed, tagger_cli: Cli):
    edit(reviewed.data / "p000.jpg", ImageOps.mirror)
    edit(reviewed.data / "p004.jpg", lambda image: image.crop((1, 1, 31, 31)).rotate(90))
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(reviewed.data / "p008.jpg")
    found = apply(reviewed, tagger_cli, code=3)
    assert not {"p000.jpg", "p004.jpg", "p008.jpg"} & found.keys()
    end = tagger_cli("apply", "--run", reviewed.run.path, "--out", "out.csv")
    assert "2 photos of these may have been edited" in end.out
    assert "--accept-edited" in end.out
    found = apply(reviewed, tagger_cli, "--accept-edited", code=3)
    assert (
        tagger_cli("apply", "--run", reviewed.run.path, "--out", "out.csv").code == 3
    )  # p008.jpg, as before
    assert "p008.jpg" not in found
    for file in ("p000.jpg", "p004.jpg"):
        assert found[file] == reviewed.decided[file]
    end = tagger_cli("retrain", "--run", reviewed.run.path, "--out", "again", "--accept-edited")
    assert end.code == 0, end.err
    assert "2 photos look different" in end.out
    found = apply(
        Reviewed(RunFolder("again"), *reviewed[1:]), tagger_cli, code=3
    )  # from now on without the option
    for file in ("p000.jpg", "p004.jpg"):
        assert found[file] == reviewed.decided[file]


def test_two_files_of_one_picture_keep_their_own_decisions(reviewed: Reviewed, tagger_cli: Cli):
    shutil.copy(reviewed.data / "p000.jpg", reviewed.data / "copy.jpg")
    write_metadata(reviewed.data / "copy.jpg")
    table = reviewed.data / "labels.csv"
    lines = table.read_text().splitlines()
    line = next(line for line in lines if line.startswith("p000.jpg"))
    table.write_text("\n".join([*lines, line.replace("p000.jpg", "copy.jpg")]) + "\n")
    settings = options(train__epochs=0)
    fresh = tagger.train(
        reviewed.data, run="fresh", preset="quick", backbone="test_resnet", weights="none", overrides=settings
    )
    images = fresh.load_images()
    row = images["file"].tolist().index("copy.jpg")
    other = "no" if reviewed.decided["p000.jpg"] == "yes" else "yes"
    with closing(Store.open(default_url(reviewed.data))) as store:
        store.record(
            [Decision(hash=images["hash"][row], label=reviewed.label, verdict=other, before=0, suggested=1, doubt=None,
                      run="run", reviewer="ann", seconds=None, client="d", seq=1)]
        )  # fmt: skip
    found = apply(Reviewed(fresh, *reviewed[1:]), tagger_cli)
    assert (found["p000.jpg"], found["copy.jpg"]) == (reviewed.decided["p000.jpg"], other)


def test_a_run_of_an_earlier_version_learns_its_pictures_while_files_are_unchanged(
    reviewed: Reviewed, tagger_cli: Cli
):
    run = reviewed.run
    run.save_images(run.load_images().drop(columns="picture_hash"))
    (run.path / "fingerprints.npy").unlink()
    before = apply(reviewed, tagger_cli)
    for path in sorted(reviewed.data.glob("p*")):
        write_metadata(path)
        path.rename(path.with_name(f"new-{path.name}"))
    after = apply(reviewed, tagger_cli, code=3)  # only decided photos are known by their picture
    assert after == {f"new-{file}": before[file] for file in reviewed.decided}
    for path in sorted(reviewed.data.glob("new-*")):
        path.rename(path.with_name(path.name.removeprefix("new-")))
    end = tagger_cli("apply", "--run", run.path, "--out", "out.csv")
    assert end.code == 3
    assert "which picture was in it is not known" in end.out
    assert apply(reviewed, tagger_cli, "--accept-edited") == before


def test_growing_after_metadata_and_renaming_knows_the_photos(reviewed: Reviewed, tagger_cli: Cli):
    table = reviewed.data / "labels.csv"
    text = table.read_text("utf-8")
    for path in sorted(reviewed.data.glob("p*")):
        write_metadata(path, orientation=6 if path.name == "p001.png" else 1)
    (reviewed.data / "p000.jpg").rename(reviewed.data / "z.jpg")
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(reviewed.data / "new.png")
    line = next(line for line in text.splitlines() if line.startswith("p004.jpg"))
    table.write_text(text.replace("p000.jpg", "z.jpg") + line.replace("p004.jpg", "new.png") + "\n", "utf-8")
    end = tagger_cli("retrain", "--run", reviewed.run.path, "--out", "grown", "--grow")
    assert end.code == 0, end.err
    grown = RunFolder("grown")
    metrics = grown.load_metrics()["grown"]
    assert (metrics["new_photos"], metrics["removed_photos"], metrics["changed_cells"]) == (1, 0, 0)
    before, after = reviewed.run.load_images(), grown.load_images()
    new_row = {file: n for n, file in enumerate(after["file"])}
    rows = [new_row["z.jpg" if file == "p000.jpg" else file] for file in before["file"]]
    assert after["split"][rows].tolist() == before["split"].tolist()
    same = (np.asarray(reviewed.run.load_views()) == np.asarray(grown.load_views())[:, rows]).all(axis=(0, 2))
    assert before["file"][~same].tolist() == ["p001.png"]
    values = {f: "yes" if grown.load_cells()[n, 0] == 1 else "no" for n, f in enumerate(after["file"])}
    assert {values["z.jpg" if file == "p000.jpg" else file] == v for file, v in reviewed.decided.items()} == {
        True
    }
    assert grown.load_fingerprints().shape == (49, 259)


def test_an_export_is_known_by_picture_where_files_have_other_metadata(reviewed: Reviewed, tagger_cli: Cli):
    """Exported before another program wrote into the photos, imported for a run that was trained after it."""
    assert tagger_cli("decisions", "export", "--run", reviewed.run.path, "--out", "all.csv").code == 0
    for path in sorted(reviewed.data.glob("p*")):
        write_metadata(path)
    later = trained_again(reviewed)
    argv = ("--run", later.path, "--store", "new.db")
    for _ in range(2):
        end = tagger_cli("decisions", "import", "all.csv", *argv)
        assert "does not have" not in end.out
    assert "8 decisions new" in tagger_cli("decisions", "import", "all.csv", *argv[:3], "newer.db").out
    end = tagger_cli(
        "apply", "--run", later.path, "--store", f"sqlite:///{Path('new.db').absolute()}", "--out", "x.csv"
    )
    assert "8 labels checked" in end.out
    found = written(Path("x.csv"), reviewed.label)
    assert {file: found[file] for file in reviewed.decided} == reviewed.decided


def trained_again(reviewed: Reviewed) -> RunFolder:
    """A second run on the photos as they are now."""
    return tagger.train(
        reviewed.data, run=reviewed.run.path.with_name("later"), preset="quick", backbone="test_resnet",
        weights="none", overrides=options(train__epochs=0),
    )  # fmt: skip


def test_a_table_by_hand_means_the_photos_that_have_these_names_now(reviewed: Reviewed, tagger_cli: Cli):
    """Two photos have changed their names; a third has a new one; a fourth is gone, and known by its former name."""
    names = reviewed.run.load_images()["file"].tolist()
    a, b, c, d = names[0], names[4], names[1], names[2]
    assert Path(a).suffix == Path(b).suffix
    pairs = [(a, "aside"), (b, a), ("aside", b), (c, "renamed" + Path(c).suffix)]
    for old, new in pairs:
        (reviewed.data / old).rename(reviewed.data / new)
    (reviewed.data / d).unlink()
    rows = [
        f"{file},{reviewed.label},{said},zoe"
        for file, said in ((a, "yes"), (b, "no"), (pairs[3][1], "yes"), (d, "no"))
    ]
    Path("hand.csv").write_text("\n".join(["file,label,verdict,reviewer", *rows]), "utf-8")
    end = tagger_cli("decisions", "import", "hand.csv", "--run", reviewed.run.path, "--store", "new.db")
    assert end.code == 0, end.out + end.err
    hashes = reviewed.run.load_images().set_index("file")["hash"]
    with closing(Store.open(f"sqlite:///{Path('new.db').absolute()}")) as store:
        found = {one.hash: one.verdict for one in store.decisions()}
    assert found == {hashes[b]: "yes", hashes[a]: "no", hashes[c]: "yes", hashes[d]: "no"}


def test_a_checked_table_is_known_by_picture(reviewed: Reviewed, tagger_cli: Cli):
    """Every photo has other metadata and another name since the training."""
    images = reviewed.run.load_images()
    rows = ["file,labels"]
    for n, file in enumerate(images["file"][:12]):
        write_metadata(reviewed.data / file)
        (reviewed.data / file).rename(reviewed.data / f"new {n}{Path(file).suffix}")
        rows.append(f"new {n}{Path(file).suffix},{reviewed.label if n % 2 else ''}")
    Path("checked.csv").write_text("\n".join([*rows, ""]), "utf-8")
    argv = (
        "decisions",
        "import",
        "checked.csv",
        "--as",
        "verified",
        "--reviewer",
        "zoe",
        "--run",
        reviewed.run.path,
    )
    end = tagger_cli(*argv, "--label", reviewed.label)
    assert end.code == 0, end.out + end.err
    assert "that the run does not have" not in end.out
    with closing(Store.open(default_url(reviewed.data))) as store:
        mine = {one.hash: one.verdict for one in store.decisions() if one.reviewer == "zoe"}
    agreed = {images["hash"][n] for n in (0, 4, 8)}  # those of Ann's that say the same are not said again
    expected = {images["hash"][n]: "yes" if n % 2 else "no" for n in range(12)}
    assert mine.items() <= expected.items()
    assert expected.keys() - mine.keys() <= agreed
    assert "nothing new" in tagger_cli(*argv, "--label", reviewed.label).out


def test_a_training_from_a_run_knows_its_photos_by_picture(reviewed: Reviewed, tmp_path: Path):
    """The photos have other metadata and other names: what the run learnt is still in no test part."""
    before = reviewed.run.load_images()
    elsewhere = shutil.copytree(reviewed.data, tmp_path / "elsewhere")
    table = pd.read_csv(elsewhere / "labels.csv", keep_default_na=False)
    now = {}
    for n, file in enumerate(before["file"]):
        write_metadata(elsewhere / file)
        now[file] = f"q{len(before) - n:03d}{Path(file).suffix}"
        (elsewhere / file).rename(elsewhere / now[file])
    table.assign(file=table["file"].map(now)).to_csv(elsewhere / "labels.csv", index=False)
    new = tagger.train(elsewhere, run=tmp_path / "new", from_run=reviewed.run.path)
    after = new.load_images().set_index("file")["split"]
    assert [after[now[file]] for file in before["file"]] == before["split"].tolist()
