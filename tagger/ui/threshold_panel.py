"""What would another threshold do? Drag it, see precision and recall at once, and keep the result under a name.

The rule in the chart is dragged in the browser, which knows every value already; the app hears of it a moment later and
brings slider, numbers and the precision-recall curve after it. The chart itself is drawn anew only when the slider
moves, so that a drag is never interrupted.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from tagger.arrays import UNKNOWN
from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.scoring import Counts, Structure, averages, choose, count
from tagger.scoring.curves import threshold_curve
from tagger.ui.charts import show_chart
from tagger.ui.escape import escape
from tagger.ui.run_data import RunData
from tagger.ui.threshold_charts import STEPS, precision_recall_chart, threshold_chart

OWN = "the run's own"


@st.fragment
def threshold_panel(run: RunFolder, data: RunData) -> None:
    """The tab: a label, its two charts, its threshold, and what all thresholds together give."""
    labels_NK, probs_NK = data.judged
    own = _counts(data.key, data)
    yes_K = (own.tp + own.fn).astype(int)
    usable = [k for k in np.argsort(-yes_K, kind="stable").tolist() if yes_K[k]]
    if not usable:
        st.write("No label has an image to judge a threshold by.")
        return
    chosen, start, _ = st.columns([2, 2, 1])
    k = chosen.selectbox(
        "Label", usable, format_func=lambda k: f"{data.names[k]} ({yes_K[k]:,} images)", key="threshold label"
    )
    sets = [OWN, *run.threshold_sets()]
    base = start.selectbox("Begin with the thresholds of", sets, key="threshold base", on_change=_forget, args=(run,))
    values = _values(run, data, base)
    key = f"threshold of {k} from {base}"
    if key not in st.session_state:
        st.session_state[key] = values[k]
    value = _snap(st.session_state[key])
    curve = threshold_curve(labels_NK[:, k], probs_NK[:, k], STEPS)

    if f"{key} slider" not in st.session_state:  # shown for the first time, or again
        st.session_state[f"{key} slider"] = st.session_state[f"{key} drawn"] = value

    left, right = st.columns([3, 2])
    with left:
        st.markdown("**Drag in the chart to move the threshold**")
        show_chart(
            threshold_chart(curve, st.session_state[f"{key} drawn"]),
            alt_text="Precision, recall and F1 by threshold. Use the slider below to set it by keyboard.",
            key=f"{key} chart",
            on_select=lambda: _dragged(run, k, key),
            selection_mode="pick",
        )
    with right:
        st.markdown("**Precision against recall**")
        show_chart(precision_recall_chart(curve, value), alt_text="The precision-recall curve with the threshold on it")
    st.slider(
        "Threshold", 0.0, 1.0, step=0.005, format="%.3f", key=f"{key} slider",
        on_change=_slid, args=(run, k, key), help="Left and right arrow keys move it by 0.005.",
    )  # fmt: skip
    _numbers(data, k, value, curve, float(data.thresholds.values_K[k]))
    if note := structure_note(data.structure, k, data.names):
        st.caption(escape(note))
    _together(run, data, values, own)


def structure_note(structure: Structure, k: int, names: Sequence[str]) -> str:
    """What a prediction does beyond this label's threshold, in words; nothing for a label without group or rule.

    >>> structure_note(Structure(rules=((0, 1),)), 0, ["baby", "people"])
    'Here thresholds alone are counted. In a prediction: with baby an image also gets people.'
    """
    parts = []
    for one in structure.groups:
        if k in one.columns and one.always:
            parts.append(f"an image gets the likeliest label of the group {one.name}, whatever the thresholds")
        elif k in one.columns:
            parts.append(
                f"of the group {one.name} an image gets the likeliest of the labels that reach their threshold"
            )
    parts += [f"with {names[a]} an image also gets {names[b]}" for a, b in structure.rules if k in (a, b)]
    return f"Here thresholds alone are counted. In a prediction: {'; '.join(parts)}." if parts else ""


def _values(run: RunFolder, data: RunData, base: str) -> np.ndarray:
    """All thresholds (K,): those of the chosen set, with what was dragged since."""
    values = data.thresholds.values_K.copy()
    if base != OWN:
        known = run.load_threshold_set(base)
        values = np.array([known.get(name, own) for name, own in zip(data.names, values, strict=True)])
    for k, value in _moved(run).items():
        values[k] = value
    return values


def _moved(run: RunFolder) -> dict[int, float]:
    return st.session_state.setdefault(f"thresholds moved in {run.path}", {})


def _forget(run: RunFolder) -> None:
    """Another set to begin with: what was dragged before is gone."""
    _moved(run).clear()
    for key in [key for key in st.session_state if str(key).startswith("threshold of ")]:
        del st.session_state[key]


def _dragged(run: RunFolder, k: int, key: str) -> None:
    """The chart says where the rule is now."""
    points = st.session_state[f"{key} chart"].selection.get("pick", [])
    if points:
        value = _snap(points[0]["threshold"])
        _moved(run)[k] = st.session_state[key] = st.session_state[f"{key} slider"] = value


def _slid(run: RunFolder, k: int, key: str) -> None:
    value = _snap(st.session_state[f"{key} slider"])
    _moved(run)[k] = st.session_state[key] = st.session_state[f"{key} drawn"] = value


def _snap(value: float) -> float:
    """The nearest threshold of the charts' grid."""
    return round(float(np.clip(round(value / 0.005) * 0.005, 0, 1)), 3)


def _numbers(data: RunData, k: int, value: float, curve: Any, own: float) -> None:
    t, was = int(np.argmin(abs(STEPS - value))), int(np.argmin(abs(STEPS - own)))
    cells_N = data.judged[0][:, k]
    with st.container(horizontal=True):
        for title, series_T in (("Precision", curve.precision_T), ("Recall", curve.recall_T), ("F1", curve.f1_T)):
            now, before = float(series_T[t]), float(series_T[was])
            moved = None if t == was or np.isnan(now) or np.isnan(before) else f"{now - before:+.3f}"
            st.metric(title, "–" if np.isnan(now) else f"{now:.3f}", moved, border=True, width=150)
        chosen = int(curve.chosen_T[t])
        st.metric("Chosen", f"{chosen:,}", None if t == was else f"{chosen - int(curve.chosen_T[was]):+,}",
                  delta_color="off", border=True, width=150, help="Images that get the label")  # fmt: skip
    label = data.thresholds.labels[k]
    between = "" if label.low is None else f", 95 % interval {label.low:.3f} to {label.high:.3f}"
    st.caption(
        f"The run's own threshold is {own:.3f} ({escape(label.how)}{between}); small numbers: the change from there."
        f" Measured on {int((cells_N != UNKNOWN).sum()):,} images: {data.judged_where}."
    )


@st.cache_resource(max_entries=3, show_spinner=False)
def _counts(key: tuple[str, int], _data: RunData) -> Counts:
    """Right and wrong cells of every label under the run's own thresholds."""
    labels_NK, probs_NK = _data.judged
    return count(labels_NK, choose(probs_NK, _data.thresholds.values_K))


def counts_at(own: Counts, data: RunData, values_K: np.ndarray) -> Counts:
    """The counts under other thresholds; only labels whose threshold is another are counted anew."""
    labels_NK, probs_NK = data.judged
    other = np.flatnonzero(values_K != data.thresholds.values_K)
    anew = count(labels_NK[:, other], choose(probs_NK[:, other], values_K[other]))
    parts = []
    for known_K, new in ((own.tp, anew.tp), (own.fp, anew.fp), (own.fn, anew.fn), (own.tn, anew.tn)):
        parts.append(known_K.copy())
        parts[-1][other] = new
    return Counts(*parts)


def _together(run: RunFolder, data: RunData, values_K: np.ndarray, own_counts: Counts) -> None:
    """All labels at once, and a place to keep the set."""
    now, own = averages(counts_at(own_counts, data, values_K)), averages(own_counts)
    moved = sorted(_moved(run))
    with st.container(border=True):
        names = ", ".join(escape(data.names[k]) for k in moved[:8]) + (" ..." if len(moved) > 8 else "")
        st.markdown(f"**All labels together** · {f'moved: {names}' if moved else 'nothing moved yet'}")
        titles = (("micro_f1", "Micro-F1"), ("macro_f1", "Macro-F1"), ("micro_precision", "precision"),
                  ("micro_recall", "recall"))  # fmt: skip
        st.markdown(" · ".join(f"{title} {now[key]:.3f} ({now[key] - own[key]:+.3f})" for key, title in titles))
        with st.form("keep thresholds", border=False):
            left, right = st.columns([3, 1], vertical_alignment="bottom")
            left.text_input("Save as a new threshold set", placeholder="a name, such as strict", key="threshold name")
            right.form_submit_button("Save", width="stretch", on_click=_save, args=(run, data, values_K))
        if message := st.session_state.pop("threshold message", None):
            good, text = message
            (st.success if good else st.error)(text)


def _save(run: RunFolder, data: RunData, values_K: np.ndarray) -> None:
    name = str(st.session_state["threshold name"]).strip()
    known = run.threshold_sets()
    try:
        if name in known:
            raise TaggerError(f"There is a threshold set {name!r} already. Choose another name.")
        run.save_threshold_set(name, dict(zip(data.names, values_K.tolist(), strict=True)))
    except (TaggerError, OSError) as error:
        st.session_state["threshold message"] = (False, escape(error))
        return
    text = f"Saved. Use it: tagger predict FOLDER --run {run.path} --thresholds '{name}'"
    st.session_state["threshold message"] = (True, escape(text))
