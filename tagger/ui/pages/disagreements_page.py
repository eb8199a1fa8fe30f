"""Page Disagreements: disputed cells to settle, and the agreement of reviewers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import streamlit as st

from tagger.arrays import UNKNOWN, YES
from tagger.review import (
    CellState,
    Decision,
    EditedVocabulary,
    RecordedDecision,
    Store,
    cell_states,
    kappa_table,
    vocabulary_after,
)
from tagger.runs import RunFolder
from tagger.ui.identity import next_signature, reviewer
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.photo_previews import PhotoPreviews
from tagger.ui.run_data import RunData, run_data

MAX_CARDS = 8  # disputed cells on the page; the next ones move up as these are settled
VERDICT_WORDS = {"yes": "yes", "no": "no", "unsure": "unsure", "skip": "skipped"}


@dataclass(frozen=True)
class DisputedCell:
    """Cell that reviewers judge differently; ``row`` is that of the run's images, None if it is not among them."""

    row: int | None
    hash: str
    label: str
    state: CellState


def show(run: RunFolder, store: Store) -> None:
    """The page: the cells in dispute, to be settled, then how well reviewers agree label by label."""
    st.title("Disagreements")
    data = run_data(run)
    operations = store.operations()
    names = vocabulary_after(data.names, operations)
    found, agreement, people = _load_disputes(
        data.key, store.url, (store.last_id(), len(operations)), data, store, names
    )
    if not found:
        if people > 1:
            st.success("Reviewers agree on every question that two of them answered.")
        else:
            st.info("Nothing to settle: fewer than two people have reviewed.")
            st.caption("A second reviewer opens the same address and enters their own name in the sidebar.")
    else:
        one = len(found) == 1
        st.write(
            f"{len(found):,} {'question is' if one else 'questions are'} in dispute."
            f" Your answer settles {'it' if one else 'each of them'}."
        )
        previews = _previews(run)
        columns = st.columns(2)
        for index, dispute in enumerate(found[:MAX_CARDS]):
            with columns[index % 2]:
                _card(run, store, data, previews, dispute, given_value(data, names, dispute))
        if len(found) > MAX_CARDS:
            st.caption(f"{len(found) - MAX_CARDS:,} more follow as these are settled.")
    if people > 1:
        _agreement(agreement)


def num_disputed(run: RunFolder, store: Store) -> int:
    """How many questions are in dispute, as this page lists them."""
    data = run_data(run)
    operations = store.operations()
    names = vocabulary_after(data.names, operations)
    last = (store.last_id(), len(operations))
    return len(_load_disputes(data.key, store.url, last, data, store, names)[0])


@st.cache_resource(max_entries=3, show_spinner="Reading the decisions")
def _load_disputes(
    key: tuple[str, int],
    url: str,
    last: tuple[int, int],
    _data: RunData,
    _store: Store,
    _names: EditedVocabulary,
) -> tuple[list[DisputedCell], pd.DataFrame, int]:
    """The disputes, the agreement by label, and how many people have reviewed; labels by their current names."""
    rows = [replace(row, label=_names.resolve(row.label) or row.label) for row in _store.decisions()]
    return disputed_cells(rows, _data.images["hash"]), kappa_table(rows), len({row.reviewer for row in rows})


def disputed_cells(rows: Sequence[RecordedDecision], hash_N: "pd.Series[str]") -> list[DisputedCell]:
    """The disputed cells, the longest in dispute first.

    >>> disputed_cells([], pd.Series([], dtype=str))
    []
    """
    states = cell_states(rows)
    open_cells = [(state.last_id, cell, state) for cell, state in states.items() if state.disputed]
    here = hash_N.reset_index(drop=True)[hash_N.isin({hash for _, (hash, _), _ in open_cells}).to_numpy()]
    row_of = dict(zip(reversed(here.tolist()), reversed(here.index.tolist()), strict=True))
    ordered = sorted(open_cells, key=lambda one: one[:2])
    return [DisputedCell(row_of.get(hash), hash, label, state) for _, (hash, label), state in ordered]


def _previews(run: RunFolder) -> PhotoPreviews:
    root = Path(run.load_settings().data.path)
    return PhotoPreviews(root, root / ".tagger" / "previews")


def _card(
    run: RunFolder, store: Store, data: RunData, previews: PhotoPreviews, dispute: DisputedCell, given: int
) -> None:
    label = escape_markdown(dispute.label)
    with st.container(border=True, key=f"dispute {dispute.hash} {dispute.label}"):
        left, right = st.columns([1, 1])
        with left:
            _show_photo(data, previews, dispute)
        with right:
            st.markdown(f"**Does this show** :blue-badge[{label}] **?**")
            for name, verdict in sorted(dispute.state.verdicts.items()):
                st.markdown(
                    f"{escape_markdown(name)} says **{VERDICT_WORDS.get(verdict, escape_markdown(verdict))}**"
                )
            if dispute.row is not None:
                word = {UNKNOWN: "unknown", YES: "yes"}.get(given, "no")
                st.caption(f"Label given: {word} · {escape_markdown(data.images.iloc[dispute.row]['file'])}")
            with st.container(horizontal=True):
                for verdict, text in (("yes", f"Yes, {label}"), ("no", f"No, not {label}")):
                    key = f"settle {verdict} {dispute.hash} {dispute.label}"
                    st.button(text, key=key, on_click=_settle, args=(run, store, dispute, verdict, given))


def _show_photo(data: RunData, previews: PhotoPreviews, dispute: DisputedCell) -> None:
    uri = file = ""
    if dispute.row is not None:
        image = data.images.iloc[dispute.row]
        file = str(image["file"])
        uri = previews.data_uri(file, image["hash"], size=512)
    if uri:
        st.image(uri, width="stretch", alt=file)
    else:
        st.caption("The photo cannot be shown.")


def given_value(data: RunData, names: EditedVocabulary, dispute: DisputedCell) -> int:
    """The cell before any decision; unknown for a label added or merged, or an image that is not in the run."""
    origin = names.origin(dispute.label) if dispute.label in names.names else None
    column = None if origin is None or origin.parts else names.column(origin)
    return UNKNOWN if dispute.row is None or column is None else int(data.labels_NK[dispute.row, column])


def _settle(run: RunFolder, store: Store, dispute: DisputedCell, verdict: str, given: int) -> None:
    """Record the answer as this reviewer's verdict, and as the one that counts."""
    store.record(
        [
            Decision(
                hash=dispute.hash,
                label=dispute.label,
                verdict=verdict,
                before=given,
                suggested=None,
                doubt=None,
                run=run.path.name,
                seconds=None,
                settles=True,
                source="disagreement",
                **next_signature(),
            )
        ]
    )
    st.toast(f"Settled by {escape_markdown(reviewer())}: {escape_markdown(dispute.label)} is {verdict}")


def _agreement(table: pd.DataFrame) -> None:
    st.markdown("**Agreement of reviewers**")
    whole = table[table["label"] == ""]
    labels = table[(table["label"] != "") & (table["pairs"] > 0)]
    if labels.empty:
        st.write("No question has been answered by two people yet.")
        return
    shown = pd.concat(
        [whole.assign(label="all labels"), labels.sort_values("pairs", ascending=False, kind="stable")]
    )
    shown = shown.astype(dict.fromkeys(("agreement", "kappa", "low", "high"), float))
    number = st.column_config.NumberColumn(format="%.2f")
    st.dataframe(
        shown.assign(agreement=100 * shown["agreement"]),
        hide_index=True,
        column_config={
            "pairs": st.column_config.NumberColumn(
                "answered by two", help="Pairs of answers to the same question"
            ),
            "agreement": st.column_config.NumberColumn(format="%.0f %%"),
            "kappa": st.column_config.NumberColumn(
                format="%.2f", help="Agreement beyond chance: 1 is full, 0 is none"
            ),
            "low": number,
            "high": number,
        },
    )
    st.caption(
        "Cohen's kappa with a 95 % interval. A low value often means that the label is not clearly defined."
    )
