"""HTML page on what was read, with thumbnails, in one file."""

from html import escape

from data_tools.describe_html import STYLE, html_figure
from tagger.data import Dataset
from tagger.data.reading_summary import summarise_reading


def reading_page(dataset: Dataset) -> str:
    """The page as one self-contained HTML text: five photos with their labels, usual and odd labels, the source."""
    found = summarise_reading(dataset)
    photos = "".join(
        f"<div>{html_figure(dataset.root, file)}<p>{escape(', '.join(labels) or 'no label')}"
        + (f" <i>unknown: {escape(', '.join(unknown))}</i>" if unknown else "")
        + "</p></div>"
        for file, labels, unknown in found.examples
    )
    frequent = "".join(
        f"<tr><td>{escape(label)}</td><td>{number:,}</td></tr>" for label, number in found.frequent
    )
    odd = "".join(
        f"<tr><td>{escape(label)}</td><td>{number:,}</td><td>{escape(what)}</td></tr>"
        for label, number, what in found.odd
    )
    title = escape(dataset.root.resolve().name or str(dataset.root))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1><p>{escape(found.source)}</p>"
        f'<h2>Photos with their labels as read</h2><div class="row">{photos}</div>'
        f"<h2>Most frequent labels</h2><table><tr><th>label</th><th>photos</th></tr>{frequent}</table>"
        f"<h2>Oddest labels</h2><table><tr><th>label</th><th>photos</th><th>why</th></tr>{odd}</table>"
        "</body></html>"
    )
