"""Plot of a head's code matrix (ECOC): a row a label, a column a bit (see ``plots.py``)."""

from collections.abc import Sequence

import numpy as np

from tagger.arrays import Floats
from tagger.runs.report.figure import add_heading, new_figure, text_figure, to_png
from tagger.runs.report.label_fonts import drawable_texts


def plot_code(
    code_KJ: Floats, names: Sequence[str], *, labels_at_most: int = 60, bits_at_most: int = 80
) -> bytes:
    """The code as a map of colours, labels in the order of the first bits, so that like is by like; PNG bytes.

    >>> plot_code(np.array([[1.0, -1.0], [-1.0, 1.0]]), ["cat", "dog"])[1:4]
    b'PNG'
    """
    code_KJ = np.asarray(code_KJ, dtype=np.float64)
    if not code_KJ.size:
        return text_figure("There is no code.")
    order = np.lexsort(
        (code_KJ[:, 0], *(code_KJ[:, bit] > 0 for bit in reversed(range(min(2, code_KJ.shape[1])))))
    )
    shown = order[:labels_at_most]
    bits = min(code_KJ.shape[1], bits_at_most)
    drawable = drawable_texts(names, max_chars=20)
    figure = new_figure(2.4 + max(0.17 * bits, 1.8), 1.3 + 0.19 * len(shown))
    ax = figure.subplots()
    reach = float(np.abs(code_KJ).max()) or 1.0
    image = ax.imshow(code_KJ[shown, :bits], cmap="PuOr_r", vmin=-reach, vmax=reach, aspect="auto")
    ax.set_yticks(range(len(shown)), [drawable.names[k] for k in shown])
    step = 1 if bits <= 20 else 5
    ax.set_xticks(range(step - 1, bits, step), [str(bit + 1) for bit in range(step - 1, bits, step)])
    ax.tick_params(labelsize=8, length=0)
    ax.set_xlabel("bit", fontsize=9)
    ax.spines[:].set_visible(False)
    drawable.apply_fonts(list(ax.get_yticklabels()))
    bar = figure.colorbar(image, ax=ax, ticks=[-reach, 0, reach], fraction=0.04)
    bar.ax.set_yticklabels(["low end", "0", "high end"], fontsize=8)
    bar.outline.set_visible(False)  # type: ignore[operator]
    hidden = [(len(order) - len(shown), "labels"), (code_KJ.shape[1] - bits, "bits")]
    add_heading(
        figure,
        "Code words of the labels",
        [f"{count} further {what} are not shown" for count, what in hidden if count],
    )
    return to_png(figure)
