"""What does a data set look like on one page? Tables, plots as inline SVG, and example images inside the file."""

import base64
from collections.abc import Iterator
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from data_tools.describe import Description
from data_tools.describe_text import sentences, tables
from tagger.arrays import YES
from tagger.data import Dataset
from tagger.data.decode import UnreadableImage, load_image

EXAMPLES, MOST_LABELS, SIDE = 4, 40, 96  # images a label, labels with images, pixels
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.1rem .7rem;text-align:right}
td:first-child,th:first-child{text-align:left}th{border-bottom:1px solid #999}rect{fill:#3572a5}
figure{display:inline-block;margin:.2rem}figcaption{font-size:11px;max-width:96px;overflow:hidden}"""


def page(dataset: Dataset, found: Description) -> str:
    """The page as HTML that needs nothing beside it and loads nothing."""
    parts = [f"<h1>{escape(str(dataset.root))}</h1>", f"<p>{escape(dataset.source)}</p>", "<ul>"]
    parts += [f"<li>{escape(line)}</li>" for line in sentences(found)]
    parts += ["</ul>", "<h2>Images with each label</h2>"]
    parts.append(bars(found.labels["label"].tolist(), found.labels["yes"].tolist()))
    parts += ["<h2>Labels per image</h2>"]
    parts.append(bars([str(n) for n in range(len(found.labels_per_image))], found.labels_per_image.tolist()))
    for title, columns, rows in tables(found):
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
        parts.append(f"<h2>{escape(title)}</h2><table><tr>{head}</tr>{body}</table>")
    parts += ["<h2>Examples</h2>", *_examples(dataset, found)]
    title = escape(dataset.root.name)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        + "\n".join(parts)
        + "</html>\n"
    )


def bars(names: list[str], counts: list[int]) -> str:
    """Horizontal bars as inline SVG, one a name, each with its count.

    >>> bars(["a<b"], [3]).count("a&lt;b")
    1
    """
    most, step = max([*counts, 1]), 20
    rows = [
        f'<text x="190" y="{n * step + 14}" text-anchor="end">{escape(name[:28])}</text>'
        f'<rect x="200" y="{n * step + 3}" width="{500 * count / most:.1f}" height="14"/>'
        f'<text x="{206 + 500 * count / most:.1f}" y="{n * step + 14}">{count:,}</text>'
        for n, (name, count) in enumerate(zip(names, counts, strict=True))
    ]
    return f'<svg width="800" height="{len(names) * step}" font-size="13">{"".join(rows)}</svg>'


def _examples(dataset: Dataset, found: Description) -> Iterator[str]:
    """The first few images of the commonest labels, evenly over the data set."""
    column = {label: k for k, label in enumerate(dataset.labels)}
    files = dataset.images["file"].tolist()
    for label in found.labels["label"].head(MOST_LABELS):
        rows = np.flatnonzero(dataset.labels_NK[:, column[label]] == YES)
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, EXAMPLES).astype(int))] if len(rows) else rows
        yield f"<h3>{escape(label)}</h3>"
        yield from (_figure(dataset.root, files[n]) for n in chosen.tolist())


def _figure(root: Path, file: str) -> str:
    caption = f"<figcaption>{escape(file)}</figcaption>"
    try:
        pixels = load_image(root / file, size=SIDE, fit="pad")
    except UnreadableImage as error:
        return f"<figure>{escape(error.reason)}{caption}</figure>"
    jpeg = BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG", quality=80)
    text = base64.b64encode(jpeg.getvalue()).decode()
    return f'<figure><img alt="" width="{SIDE}" src="data:image/jpeg;base64,{text}">{caption}</figure>'
