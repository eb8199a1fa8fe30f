"""Where do reviewers disagree, how much, and who settles it?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import streamlit as st

from tagger.arrays import UNKNOWN, YES
from tagger.review import CellState, Decision, Recorded, Store, Vocabulary, cell_states, kappa, vocabulary
from tagger.runs import RunFolder
from tagger.ui.author import reviewer, sign
from tagger.ui.escape import escape
from tagger.ui.pictures import Pictures
from tagger.ui.run_data import RunData, run_data

AT_ONCE = 8  # disputed cells on the page; the next ones move up as these are settled
WORDS = {"yes": "yes", "no": "no", "unsure": "unsure", "skip": "skipped"}


@dataclass(frozen=True)
class Dispute:
    """A cell that reviewers judge differently: its row in the run's images, or None if the run does not have it."""

    row: int | None
    hash: str
    label: str
    state: CellState


def show(run: RunFolder, store: Store) -> None:
    """The page: the cells in dispute, to be settled, then how well reviewers agree label by label."""
    st.title("Disagreements")
    data, operations = run_data(run), store.operations()
    names = vocabulary(data.names, operations)
    found, agreement, people = _judged(data.key, store.url, (store.last_id(), len(operations)), data, store, names)
    if not found:
        if people > 1:
            st.success("Nobody disagrees.")
        else:
            st.info("Nothing to settle: fewer than two people have reviewed.")
            st.caption("A second person opens the same address with their own name in the sidebar, and reviews.")
    else:
        st.write(f"{len(found):,} {'cell is' if len(found) == 1 else 'cells are'} in dispute. Your word settles it.")
        pictures = _pictures(run)
        columns = st.columns(2)
        for place, dispute in enumerate(found[:AT_ONCE]):
            with columns[place % 2]:
                _card(run, store, data, pictures, dispute, given_value(data, names, dispute))
        if len(found) > AT_ONCE:
            st.caption(f"{len(found) - AT_ONCE:,} more follow as these are settled.")
    if people > 1:
        _agreement(agreement)


@st.cache_resource(max_entries=3, show_spinner="Reading the decisions")
def _judged(
    key: tuple[str, int], url: str, last: tuple[int, int], _data: RunData, _store: Store, _names: Vocabulary
) -> tuple[list[Dispute], pd.DataFrame, int]:
    """The disputes, the agreement by label, and how many people have reviewed; labels by their current names."""
    rows = [replace(row, label=_names.resolve(row.label) or row.label) for row in _store.decisions()]
    return disputes(rows, _data.images["hash"]), kappa(rows), len({row.reviewer for row in rows})


def disputes(rows: Sequence[Recorded], hash_N: "pd.Series[str]") -> list[Dispute]:
    """The disputed cells, the longest in dispute first.

    >>> disputes([], pd.Series([], dtype=str))
    []
    """
    states = cell_states(rows)
    open_cells = [(state.last_id, cell, state) for cell, state in states.items() if state.disputed]
    here = hash_N.reset_index(drop=True)[hash_N.isin({hash for _, (hash, _), _ in open_cells}).to_numpy()]
    row_of = dict(zip(reversed(here.tolist()), reversed(here.index.tolist()), strict=True))
    ordered = sorted(open_cells, key=lambda one: one[:2])
    return [Dispute(row_of.get(hash), hash, label, state) for _, (hash, label), state in ordered]


def _pictures(run: RunFolder) -> Pictures:
    root = Path(run.load_settings().data.path)
    return Pictures(root, root / ".tagger" / "previews")


def _card(run: RunFolder, store: Store, data: RunData, pictures: Pictures, dispute: Dispute, given: int) -> None:
    label = escape(dispute.label)
    with st.container(border=True, key=f"dispute {dispute.hash} {dispute.label}"):
        left, right = st.columns([1, 1])
        with left:
            uri = ""
            if dispute.row is not None:
                image = data.images.iloc[dispute.row]
                uri = pictures.data_uri(image["file"], image["hash"], size=512)
            if uri:
                st.image(uri, width="stretch")
            else:
                st.caption("The photo cannot be shown.")
        with right:
            st.markdown(f"**Does this show** :blue-badge[{label}] **?**")
            for name, verdict in sorted(dispute.state.verdicts.items()):
                st.markdown(f"{escape(name)} says **{WORDS.get(verdict, escape(verdict))}**")
            if dispute.row is not None:
                word = {UNKNOWN: "unknown", YES: "yes"}.get(given, "no")
                st.caption(f"given: {word} · {escape(data.images.iloc[dispute.row]['file'])}")
            key = f"{dispute.hash} {dispute.label}"
            with st.container(horizontal=True):
                for verdict, text in (("yes", f"Yes, {label}"), ("no", f"No, not {label}")):
                    st.button(
                        text,
                        key=f"settle {verdict} {key}",
                        on_click=_settle,
                        args=(run, store, dispute, verdict, given),
                    )


def given_value(data: RunData, names: Vocabulary, dispute: Dispute) -> int:
    """What the cell was before any decision; unknown for a label that was added or merged, or an image not here."""
    tree = names.tree(dispute.label) if dispute.label in names.names else None
    column = None if tree is None or tree.parts else names.column(tree)
    return UNKNOWN if dispute.row is None or column is None else int(data.labels_NK[dispute.row, column])


def _settle(run: RunFolder, store: Store, dispute: Dispute, verdict: str, given: int) -> None:
    """Written down as this reviewer's verdict, and as the one that counts."""
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
                **sign(),
            )
        ]
    )
    st.toast(f"Settled by {escape(reviewer())}: {escape(dispute.label)} is {verdict}")


def _agreement(table: pd.DataFrame) -> None:
    st.markdown("**How well reviewers agree**")
    whole, labels = table[table["label"] == ""], table[(table["label"] != "") & (table["pairs"] > 0)]
    if labels.empty:
        st.write("No cell has been judged by two people yet.")
        return
    shown = pd.concat([whole.assign(label="all labels"), labels.sort_values("pairs", ascending=False, kind="stable")])
    shown = shown.astype(dict.fromkeys(("agreement", "kappa", "low", "high"), float))
    number = st.column_config.NumberColumn(format="%.2f")
    st.dataframe(
        shown.assign(agreement=100 * shown["agreement"]),
        hide_index=True,
        column_config={
            "pairs": st.column_config.NumberColumn("cells judged by two", help="Pairs of verdicts on the same cell"),
            "agreement": st.column_config.NumberColumn(format="%.0f %%"),
            "kappa": st.column_config.NumberColumn(format="%.2f", help="Agreement beyond chance: 1 is full, 0 is none"),
            "low": number,
            "high": number,
        },
    )
    st.caption("Cohen's kappa with a 95 % interval. A low value often means that the label itself is not clear.")
