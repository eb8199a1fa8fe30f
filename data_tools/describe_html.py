"""HTML page of a data set's summary: figures, SVG plots and example images in one file."""

import base64
from collections.abc import Iterator, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_tools.describe import Description
from data_tools.describe_plots import bar_chart, cooccurrence_chart, size_chart
from data_tools.describe_text import tables
from tagger.arrays import YES
from tagger.data import Dataset, cooccurrence_matrix
from tagger.data.images.decoding import UnreadableImage, load_image

EXAMPLES = 8  # images per label
MAX_LABELS = 40  # labels with example images
SIDE = 128  # pixels of an example image
MAX_COOCCURRENCE_LABELS = 24
MAX_PROBLEMS = 50
STYLE = """:root{color-scheme:light dark;--ink:#1d2125;--soft:#5f6873;--line:#e1e5ea;--ground:#fff;--card:#f5f7f9;
--blue:#0072b2}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa4af;--line:#323a43;--ground:#14181c;
--card:#1d2329;--blue:#56b4e9}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:66rem;
margin:2rem auto 4rem;padding:0 1.2rem}
h1{font-size:1.6rem;margin:0;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.6rem 0 .3rem;padding-top:.8rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.2rem 0 .3rem}p,.soft{color:var(--soft)}p{margin:.2rem 0 .8rem;max-width:50rem}
nav a{color:var(--blue);margin-right:1rem;text-decoration:none}
.tiles{display:flex;flex-wrap:wrap;gap:.7rem;margin:1.2rem 0}
.tile{background:var(--card);border-radius:8px;padding:.6rem 1rem;flex:1 1 9rem}
.tile b{display:block;font-size:1.5rem;line-height:1.3}.tile span{color:var(--soft);font-size:.85rem}
table{border-collapse:collapse;margin:.5rem 0}
td,th{padding:.15rem 1.2rem .15rem 0;text-align:right;font-variant-numeric:tabular-nums}
td:first-child,th:first-child{text-align:left}
th{color:var(--soft);font-weight:500;border-bottom:1px solid var(--line)}td{border-bottom:1px solid var(--line)}
svg{display:block;margin:.6rem 0;overflow:visible}svg text{fill:var(--ink)}svg .soft{fill:var(--soft)}
.bar,.dot{fill:var(--blue)}
.dot{opacity:.55}.self{fill:none;stroke:var(--line)}.grid{stroke:var(--line)}
.row{display:grid;gap:.5rem;grid-template-columns:repeat(auto-fill,minmax(112px,1fr))}
figure{margin:0;min-width:0}
figure img{width:100%;aspect-ratio:1;background:var(--card);border-radius:6px;display:block}
figcaption{font-size:11px;color:var(--soft);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
li{overflow-wrap:anywhere}.two{display:flex;flex-wrap:wrap;gap:0 3rem}"""


def html_page(dataset: Dataset, found: Description) -> str:
    """The page as one self-contained HTML text, for light and dark screens."""
    sections = dict(_sections(dataset, found))
    links = "".join(f'<a href="#{_anchor(title)}">{escape(title)}</a>' for title in sections)
    body = "".join(
        f'<h2 id="{_anchor(title)}">{escape(title)}</h2>{text}' for title, text in sections.items()
    )
    title = escape(dataset.root.resolve().name or str(dataset.root))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1><p>{escape(dataset.source)}</p>"
        f"<nav>{links}</nav>{_tiles(found)}{body}</body></html>\n"
    )


def _tiles(found: Description) -> str:
    """The main figures, as tiles."""
    num = max(found.num_images, 1)
    per_image = np.average(np.arange(len(found.labels_per_image)), weights=found.labels_per_image)
    told = [
        (f"{found.num_images:,}", "images with labels"),
        (f"{len(found.labels):,}", "labels"),
        (f"{per_image:.2f}", "labels an image"),
        (f"{found.num_unlabelled / num:.1%}".replace("%", " %"), "of images have no label"),
        (f"{found.imbalance:,.0f} : 1", "most frequent to rarest label"),
        (f"{found.share_unknown:.1%}".replace("%", " %"), "of cells are unknown"),
    ]
    told += [(f"{found.num_unlisted:,}", "images not in the labels")] * bool(found.num_unlisted)
    told += [(f"{len(found.unreadable):,}", "images cannot be read")] * bool(found.unreadable)
    tiles = "".join(
        f'<div class="tile"><b>{escape(figure)}</b><span>{what}</span></div>' for figure, what in told
    )
    return f'<div class="tiles">{tiles}</div>'


def _sections(dataset: Dataset, found: Description) -> Iterator[tuple[str, str]]:
    """(title, HTML) of each section."""
    table = {title: (columns, rows) for title, columns, rows in tables(found)}
    names = found.labels["label"].tolist()
    counts = found.labels["yes"].tolist()
    yield (
        "Labels",
        "<p>Images with each label, and their share.</p>" + bar_chart(names, counts, found.num_images),
    )
    per_image = found.labels_per_image.tolist()
    told = [f"{n} label{'s' * (n != 1)}" for n in range(len(per_image))]
    yield "Labels per image", bar_chart(told, per_image, found.num_images)
    yield "Co-occurrence", "".join(_cooccurrence(dataset, found, table))
    yield "Sizes", _sizes(found)
    yield "Examples", "".join(_examples(dataset, found))
    problems = [*dataset.problems, *found.unreadable]
    if problems:
        shown = "".join(f"<li>{escape(str(problem))}</li>" for problem in problems[:MAX_PROBLEMS])
        more = f"<p>… and {len(problems) - MAX_PROBLEMS:,} more: tagger data check lists all.</p>"
        yield "Problems", f"<ul>{shown}</ul>" + more * (len(problems) > MAX_PROBLEMS)


def _cooccurrence(
    dataset: Dataset, found: Description, table: dict[str, tuple[list[str], list[Any]]]
) -> Iterator[str]:
    """Co-occurrence of labels: a chart of the most frequent ones, tables of pairs above chance and of rules."""
    names = found.labels["label"].head(MAX_COOCCURRENCE_LABELS).tolist()
    columns = [dataset.labels.index(name) for name in names]
    most = (
        f" The {MAX_COOCCURRENCE_LABELS} most frequent labels."
        if len(found.labels) > MAX_COOCCURRENCE_LABELS
        else ""
    )
    yield f"<p>Share of the images with the row's label that also have the column's: darker is more.{most}</p>"
    yield cooccurrence_chart(names, cooccurrence_matrix(dataset.labels_NK[:, columns]))
    yield '<div class="two">'
    for title in ("Labels that meet more often than by chance", "Rules that the labels follow almost always"):
        if title in table:
            yield f"<div><h3>{escape(title)}</h3>{_table(*table[title])}</div>"
    yield "</div>"


def _sizes(found: Description) -> str:
    known = found.width_N > 0
    if not known.any():
        return "<p>No image can be read.</p>"
    if len(np.unique(found.width_N[known])) == len(np.unique(found.height_N[known])) == 1:
        first = int(known.argmax())
        return f"<p>All images are {found.width_N[first]} x {found.height_N[first]} pixels.</p>"
    return "<p>A dot for each size, larger for more images.</p>" + size_chart(found.width_N, found.height_N)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _examples(dataset: Dataset, found: Description) -> Iterator[str]:
    """Example images of each of the most frequent labels, evenly spaced over the data set, and of no label."""
    column = {label: k for k, label in enumerate(dataset.labels)}
    yes_NK = dataset.labels_NK == YES
    rows = {label: yes_NK[:, column[label]] for label in found.labels["label"].head(MAX_LABELS)}
    files = dataset.images["file"].tolist()
    for title, chosen_N in [*rows.items(), ("without any label", ~yes_NK.any(axis=1))]:
        if chosen_N.any():
            figures = "".join(
                html_figure(dataset.root, files[n]) for n in evenly_spaced(np.flatnonzero(chosen_N)).tolist()
            )
            yield f'<h3>{escape(title)} <span class="soft">{int(chosen_N.sum()):,}</span></h3>'
            yield f'<div class="row">{figures}</div>'
    if len(found.labels) > MAX_LABELS:
        yield f"<p>The {MAX_LABELS} most frequent of {len(found.labels):,} labels.</p>"


def evenly_spaced(rows: NDArray[np.int64], num: int = EXAMPLES) -> NDArray[np.int64]:
    """At most ``num`` of the rows, evenly from first to last.

    >>> evenly_spaced(np.arange(9), 3).tolist(), evenly_spaced(np.arange(2), 3).tolist()
    ([0, 4, 8], [0, 1])
    """
    return rows[np.unique(np.linspace(0, len(rows) - 1, num).astype(int))]


def html_figure(root: Path, file: str) -> str:
    """A photo with its name below, or the reason why there is none."""
    caption = f'<figcaption title="{escape(file)}">{escape(Path(file).name)}</figcaption>'
    try:
        pixels = load_image(root / file, size=SIDE, fit="crop")
    except UnreadableImage as error:
        return f"<figure>{escape(error.reason)}{caption}</figure>"
    jpeg = BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG", quality=82)
    text = base64.b64encode(jpeg.getvalue()).decode()
    return f'<figure><img alt="" src="data:image/jpeg;base64,{text}"/>{caption}</figure>'


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
