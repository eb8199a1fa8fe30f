"""The demo data set: photos of real handwritten digits, with known label errors; needs no network.

The digits are the 1,797 samples of 8 x 8 pixels in scikit-learn (UCI, Alpaydin and Kaynak 1998). There are
ten labels, from very common to rare; some photos have no label. A known share of the labels is wrong; the
true ones are kept in ``truth/``.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from data_tools.digit_photos import draw_digit_photo
from tagger.arrays import NO, YES, Cells
from tagger.errors import TaggerError

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SHARES_K = np.geomspace(0.40, 0.025, len(NAMES))  # how many photos show each digit
MAX_DIGITS = 4
NUM_KNOWN = 1300  # digits that images/ is drawn from; the others are new/'s

README = """Photos of handwritten digits, made to try `tagger` on.

images/               {num_images} photos of {size} x {size} pixels
labels.csv            their labels as a careless person would give them: {dropped} labels are
                      missing and {added} are wrong, out of {total}
new/                  {num_new} further photos with digits that occur in no photo of images/
truth/truth.csv       the right labels of images/
truth/new_truth.csv   the right labels of new/

A photo has the label `three` if a 3 is on it. Photos without digits have no label.
The digits are those of scikit-learn's load_digits (UCI Optical Recognition of Handwritten
Digits, E. Alpaydin and C. Kaynak, 1998, CC BY 4.0). Paper, ink and light are drawn.
Made with seed {seed}, noise {noise}.
"""


def make_demo(
    out: str | Path,
    *,
    num_images: int = 2000,
    num_new: int = 200,
    size: int = 64,
    seed: int = 0,
    noise: float = 0.08,
) -> Path:
    """Write the demo set to ``out``: ``images/``, ``labels.csv``, ``new/``, ``truth/`` and ``README.txt``.

    ``noise`` is the share of each label's positives that is dropped; half as many wrong ones are added. The
    same arguments give the same photos and labels. TaggerError if ``out`` exists and is not empty.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TaggerError(f"{out}: this exists already. Name a new folder, or remove this one")
    if num_images < 1 or num_new < 0 or size < 16 or not 0 <= noise < 1:
        raise TaggerError("The demo needs num_images >= 1, num_new >= 0, size >= 16 and 0 <= noise < 1")
    digits, classes = load_digits(return_X_y=True)
    glyphs = digits.reshape(-1, 8, 8) / 16.0
    rng = np.random.default_rng(seed)
    known = slice(None, NUM_KNOWN)
    unseen = slice(NUM_KNOWN, None)
    truth_NK = draw_labels(num_images, rng)
    files = [f"images/{n:05d}.{'png' if n % 4 == 0 else 'jpg'}" for n in range(num_images)]
    _save_photos(out, files, truth_NK, glyphs[known], classes[known], rng, size=size)
    new_NK = draw_labels(num_new, rng)
    new_files = [f"new/new-{n:05d}.jpg" for n in range(num_new)]
    _save_photos(out, new_files, new_NK, glyphs[unseen], classes[unseen], rng, size=size)

    labels_NK = inject_errors(truth_NK, rng, noise=noise)
    save_demo_labels(out / "truth" / "truth.csv", files, truth_NK)
    save_demo_labels(out / "truth" / "new_truth.csv", [Path(file).name for file in new_files], new_NK)
    save_demo_labels(out / "labels.csv", files, labels_NK)
    dropped = int((labels_NK < truth_NK).sum())
    added = int((labels_NK > truth_NK).sum())
    text = README.format(
        num_images=num_images, num_new=num_new, size=size, dropped=dropped, added=added, total=int(truth_NK.sum()),
        seed=seed, noise=noise,
    )  # fmt: skip
    (out / "README.txt").write_text(text, encoding="utf-8")
    return out


def draw_labels(num_images: int, rng: np.random.Generator) -> Cells:
    """labels_NK: the digits on each photo, four at most; each digit has its own share of the photos.

    >>> draw_labels(1000, np.random.default_rng(0)).mean(axis=0).round(1)[:3].tolist()
    [0.4, 0.3, 0.2]
    """
    labels_NK = (rng.random((num_images, len(NAMES))) < SHARES_K).astype(np.int8)
    for labels_K in labels_NK:
        present = np.flatnonzero(labels_K)
        labels_K[rng.permutation(present)[MAX_DIGITS:]] = NO
    return labels_NK


def inject_errors(truth_NK: Cells, rng: np.random.Generator, *, noise: float) -> Cells:
    """The labels with errors: of a label's P positives round(noise P) are dropped, round(noise P / 2) are added.

    >>> truth_NK = np.array([[1]] * 50 + [[0]] * 50, dtype=np.int8)
    >>> inject_errors(truth_NK, np.random.default_rng(0), noise=0.1).sum().item()
    47
    """
    labels_NK = truth_NK.copy()
    for k in range(truth_NK.shape[1]):
        positives = np.flatnonzero(truth_NK[:, k] == YES)
        negatives = np.flatnonzero(truth_NK[:, k] == NO)
        num_dropped = round(noise * len(positives))
        num_added = round(noise * len(positives) / 2)
        labels_NK[rng.permutation(positives)[:num_dropped], k] = NO
        labels_NK[rng.permutation(negatives)[:num_added], k] = YES
    return labels_NK


def save_demo_labels(path: Path, files: Sequence[str], labels_NK: Cells) -> None:
    """Write ``file,labels``, labels joined by ``|``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "labels"])
        for name, labels_K in zip(files, labels_NK, strict=True):
            writer.writerow([name, "|".join(NAMES[k] for k in np.flatnonzero(labels_K == YES))])


def _save_photos(
    out: Path,
    files: Sequence[str],
    labels_NK: Cells,
    glyphs: NDArray[np.float64],
    classes: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    size: int,
) -> None:
    """Draw and write one photo per row; some show a digit twice."""
    for file, labels_K in zip(files, labels_NK, strict=True):
        wanted = list(rng.permutation(np.flatnonzero(labels_K == YES)))
        if wanted and len(wanted) < MAX_DIGITS and rng.random() < 0.15:
            wanted.append(wanted[0])
        shown = [glyphs[rng.choice(np.flatnonzero(classes == digit))] for digit in wanted]
        path = out / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_digit_photo(shown, rng, size=size)).save(path, quality=92)
