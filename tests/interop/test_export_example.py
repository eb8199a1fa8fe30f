"""The lines of docs/export.md tag photos as ``tagger predict`` does, where torch and tagger cannot be imported."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from untrained import NAMES, make_run

import tagger
from tagger.commands.export import export
from tagger.runs import RunFolder

ROOT = Path(__file__).parents[2]
ABSENT = ("torch", "torchvision", "tagger", "timm", "onnx", "onnxscript")
ALONE = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({ABSENT}))  # from now on importing one is an error
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def the_example() -> str:
    """The code block of docs/export.md."""
    (_, rest) = (ROOT / "docs" / "export.md").read_text("utf-8").split("```python\n")
    return rest.split("```")[0]


def scene(width: int, height: int, seed: int) -> Image.Image:
    """Sky, ground and a disc, somewhat noisy: no symmetry that would hide a turn or a shift."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    sky = np.stack([0.3 + 0.3 * y, 0.5 + 0.2 * x, 0.9 - 0.3 * y], axis=2)
    ground = np.stack([0.4 + 0.1 * x, 0.5 - 0.2 * y, 0.2 * x], axis=2)
    pixels = np.where((y > 0.5 + 0.2 * x)[..., None], ground, sky)
    disc = (x - rng.uniform(0.2, 0.8)) ** 2 + (y - rng.uniform(0.2, 0.8)) ** 2 < rng.uniform(0.01, 0.05)
    pixels[disc] = rng.random(3)
    noisy = pixels + rng.normal(0, 0.02, pixels.shape)
    return Image.fromarray((noisy.clip(0, 1) * 255).astype(np.uint8))


def save_photos(folder: Path) -> list[Path]:
    """One file of each kind that people have."""
    folder.mkdir()
    scene(301, 200, 0).save(folder / "landscape.jpg", quality=90)
    scene(150, 333, 1).save(folder / "portrait.png")
    scene(1601, 1067, 2).save(folder / "large.jpg", quality=90)
    scene(90, 61, 3).convert("L").save(folder / "grey.jpg")
    scene(33, 32, 4).convert("P").save(folder / "palette.gif")
    scene(120, 80, 5).convert("CMYK").save(folder / "print.jpg")
    clear = scene(200, 121, 6)
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(folder / "clear.png")
    for turn in (3, 6, 7):
        exif = Image.Exif()
        exif[0x0112] = turn
        scene(160, 91, turn).save(folder / f"turned{turn}.jpg", exif=exif)
    return sorted(folder.iterdir())


def says_what_predict_says(run: RunFolder, photos: list[Path], folder: Path) -> None:
    """The example, run alone on the run's ONNX file, prints the labels and probabilities of ``predict``."""
    model = export(run, folder / "a.onnx")
    (folder / "tag.py").write_text(the_example(), "utf-8")
    command = [sys.executable, "-X", "utf8", "-c", ALONE, "tag.py", str(model), *map(str, photos)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    table = tagger.load(run).predict(photos)
    assert float(table[list(NAMES)].std().min()) > 0.01  # or the photos would say nothing of their reading
    lines = done.stdout.replace("雪\nline", "雪 line").splitlines()
    assert len(lines) == len(photos)
    for line, (_, row) in zip(lines, table.iterrows(), strict=True):
        file, *found = line.split("\t")
        assert file == row["file"]
        named = {text.rpartition("=")[0]: float(text.rpartition("=")[2]) for text in found}
        assert "|".join(named) == row["labels"].replace("\n", " "), file
        for name, prob in named.items():
            assert prob == pytest.approx(row[name.replace("雪 line", "雪\nline")], abs=1e-4 + 5e-5), file


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_the_example_of_the_docs_says_what_predict_says(fit: str, tmp_path: Path):
    pytest.importorskip("onnxruntime")
    run = make_run(tmp_path, f"image.fit={fit}", "image.size=47", backbone="test_convnext")
    says_what_predict_says(run, save_photos(tmp_path / "kinds"), tmp_path)


def test_it_does_so_of_real_photos_with_weights_that_want_same_padding(shared: Path, tmp_path: Path):
    pytest.importorskip("onnxruntime")
    weights = shared / "weights" / "mobilenetv2_100.coral_tf2_in1k.safetensors"
    more = (f"backbone.weights={weights}", "backbone.pad_type=same", "head.name=mlp", "image.size=96")
    run = make_run(tmp_path, *more, backbone="mobilenetv2_100")
    photos = sorted((shared / "data" / "photos" / "images").iterdir())[:50]
    says_what_predict_says(run, photos, tmp_path)


def test_the_example_fits_a_screen_and_needs_nothing_else():
    lines = [line for line in the_example().splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 22
    assert max(map(len, lines)) <= 120
    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported - set(sys.stdlib_module_names) == {"numpy", "onnxruntime", "PIL"}
