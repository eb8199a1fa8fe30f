"""Threshold panel: try other thresholds, see their metrics, save them as a named set.

The rule in the chart is dragged in the browser, which has every value already. The app gets the new value a moment
later and updates slider, numbers and precision-recall curve. It draws the chart anew only when the slider moves, so
that a drag is never interrupted.
"""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from tagger.arrays import UNKNOWN
from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.scoring import (
    ConfusionCounts,
    LabelConstraints,
    apply_thresholds,
    confusion_counts,
    micro_macro_averages,
)
from tagger.scoring.threshold_curves import ThresholdCurve, threshold_curve
from tagger.ui.charts.style import show_chart
from tagger.ui.charts.threshold_charts import THRESHOLD_GRID, precision_recall_chart, threshold_chart
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.run_data import RunData

RUN_THRESHOLDS = "this run's thresholds"


@st.fragment
def threshold_panel(run: RunFolder, data: RunData) -> None:
    """The tab: a label, its two charts, its threshold, and what all thresholds together give."""
    labels_NK, probs_NK = data.evaluation_data
    own = _own_counts(data.key, data)
    yes_K = (own.tp + own.fn).astype(int)
    usable = [k for k in np.argsort(-yes_K, kind="stable").tolist() if yes_K[k]]
    if not usable:
        st.write("No label has a photo to measure a threshold on.")
        return
    k, base = _choose_label_and_set(run, data, usable, yes_K)
    values = _current_thresholds(run, data, base)
    key = f"threshold of {k} from {base}"
    if key not in st.session_state:
        st.session_state[key] = values[k]
    value = _round_to_grid(st.session_state[key])
    curve = threshold_curve(labels_NK[:, k], probs_NK[:, k], THRESHOLD_GRID)

    if f"{key} slider" not in st.session_state:  # shown for the first time, or again
        st.session_state[f"{key} slider"] = st.session_state[f"{key} drawn"] = value

    _show_charts(run, k, key, value, curve)
    _label_metrics(data, k, value, curve, float(data.thresholds.values_K[k]))
    if note := constraints_note(data.constraints, k, data.names):
        st.caption(escape_markdown(note))
    _all_labels(run, data, values, own)


def _choose_label_and_set(
    run: RunFolder, data: RunData, usable: list[int], yes_K: np.ndarray
) -> tuple[int, str]:
    """The label (its column) and the threshold set to start from, out of two boxes."""
    chosen, start, _ = st.columns([2, 2, 1])
    k = chosen.selectbox(
        "Label", usable, format_func=lambda k: f"{data.names[k]} ({yes_K[k]:,} photos)", key="threshold label"
    )
    sets = [RUN_THRESHOLDS, *run.threshold_sets()]
    base = start.selectbox("Start from", sets, key="threshold base", on_change=_reset_thresholds, args=(run,))
    return k, base


def _show_charts(run: RunFolder, k: int, key: str, value: float, curve: ThresholdCurve) -> None:
    """The two charts of a label's threshold, and its slider."""
    left, right = st.columns([3, 2])
    with left:
        st.markdown("**Drag in the chart to move the threshold**")
        show_chart(
            threshold_chart(curve, st.session_state[f"{key} drawn"]),
            alt_text="Precision, recall and F1 by threshold. Use the slider below to set it by keyboard.",
            key=f"{key} chart",
            on_select=lambda: _on_chart_drag(run, k, key),
            selection_mode="pick",
        )
    with right:
        st.markdown("**Precision against recall**")
        show_chart(
            precision_recall_chart(curve, value),
            alt_text="The precision-recall curve with the threshold on it",
        )
    st.slider(
        "Threshold", 0.0, 1.0, step=0.005, format="%.3f", key=f"{key} slider",
        on_change=_on_slider_change, args=(run, k, key), help="Left and right arrow keys move it by 0.005.",
    )  # fmt: skip


def constraints_note(constraints: LabelConstraints, k: int, names: Sequence[str]) -> str:
    """Note on the groups and rules that a prediction of this label follows; empty without any.

    >>> constraints_note(LabelConstraints(rules=((0, 1),)), 0, ["baby", "people"])
    'These numbers use thresholds only. In a prediction, a photo with baby also gets people.'
    """
    parts = []
    for one in constraints.groups:
        if k in one.columns and one.always:
            parts.append(f"a photo gets the likeliest label of the group {one.name}, whatever the thresholds")
        elif k in one.columns:
            parts.append(
                f"a photo gets, of the group {one.name}, the likeliest label that reaches its threshold"
            )
    parts += [f"a photo with {names[a]} also gets {names[b]}" for a, b in constraints.rules if k in (a, b)]
    return f"These numbers use thresholds only. In a prediction, {'; '.join(parts)}." if parts else ""


def _current_thresholds(run: RunFolder, data: RunData, base: str) -> np.ndarray:
    """Thresholds of all labels (K,): those of the chosen set, with what was dragged since."""
    values = data.thresholds.values_K.copy()
    if base != RUN_THRESHOLDS:
        known = run.load_threshold_set(base)
        values = np.array([known.get(name, own) for name, own in zip(data.names, values, strict=True)])
    for k, value in _changed_thresholds(run).items():
        values[k] = value
    return values


def _changed_thresholds(run: RunFolder) -> dict[int, float]:
    return st.session_state.setdefault(f"thresholds moved in {run.path}", {})


def _reset_thresholds(run: RunFolder) -> None:
    """Forget what was dragged, when another set is chosen to start from."""
    _changed_thresholds(run).clear()
    for key in [key for key in st.session_state if str(key).startswith("threshold of ")]:
        del st.session_state[key]


def _on_chart_drag(run: RunFolder, k: int, key: str) -> None:
    """Take the threshold from the rule in the chart."""
    points = st.session_state[f"{key} chart"].selection.get("pick", [])
    if points:
        value = _round_to_grid(points[0]["threshold"])
        _changed_thresholds(run)[k] = st.session_state[key] = st.session_state[f"{key} slider"] = value


def _on_slider_change(run: RunFolder, k: int, key: str) -> None:
    value = _round_to_grid(st.session_state[f"{key} slider"])
    _changed_thresholds(run)[k] = st.session_state[key] = st.session_state[f"{key} drawn"] = value


def _round_to_grid(value: float) -> float:
    """The nearest threshold of the charts' grid."""
    return round(float(np.clip(round(value / 0.005) * 0.005, 0, 1)), 3)


def _label_metrics(data: RunData, k: int, value: float, curve: ThresholdCurve, own: float) -> None:
    t = int(np.argmin(abs(THRESHOLD_GRID - value)))
    was = int(np.argmin(abs(THRESHOLD_GRID - own)))
    cells_N = data.evaluation_data[0][:, k]
    with st.container(horizontal=True):
        for title, series_T in (
            ("Precision", curve.precision_T),
            ("Recall", curve.recall_T),
            ("F1", curve.f1_T),
        ):
            now = float(series_T[t])
            before = float(series_T[was])
            moved = None if t == was or np.isnan(now) or np.isnan(before) else f"{now - before:+.3f}"
            st.metric(title, "–" if np.isnan(now) else f"{now:.3f}", moved, border=True, width=150)
        chosen = int(curve.chosen_T[t])
        st.metric("Chosen", f"{chosen:,}", None if t == was else f"{chosen - int(curve.chosen_T[was]):+,}",
                  delta_color="off", border=True, width=150, help="Photos that get the label")  # fmt: skip
    label = data.thresholds.labels[k]
    interval_text = "" if label.low is None else f", 95 % interval {label.low:.3f} to {label.high:.3f}"
    threshold = (
        f"The run chooses this label on no photo ({escape_markdown(label.how)})."
        if label.never_chosen
        else f"The run's own threshold is {own:.3f} ({escape_markdown(label.how)}{interval_text})."
    )
    st.caption(
        f"{threshold} Small numbers show the change from it."
        f" Measured on {int((cells_N != UNKNOWN).sum()):,} photos: {data.evaluation_source}."
    )


@st.cache_resource(max_entries=3, show_spinner=False)
def _own_counts(key: tuple[str, int], _data: RunData) -> ConfusionCounts:
    """Right and wrong cells of every label under the run's own thresholds."""
    labels_NK, probs_NK = _data.evaluation_data
    return confusion_counts(labels_NK, apply_thresholds(probs_NK, _data.thresholds.values_K))


def counts_at(own: ConfusionCounts, data: RunData, values_K: np.ndarray) -> ConfusionCounts:
    """The counts under other thresholds; only labels whose threshold is another are counted anew."""
    labels_NK, probs_NK = data.evaluation_data
    other = np.flatnonzero(values_K != data.thresholds.values_K)
    anew = confusion_counts(labels_NK[:, other], apply_thresholds(probs_NK[:, other], values_K[other]))
    parts = []
    for known_K, new in ((own.tp, anew.tp), (own.fp, anew.fp), (own.fn, anew.fn), (own.tn, anew.tn)):
        parts.append(known_K.copy())
        parts[-1][other] = new
    return ConfusionCounts(*parts)


def _all_labels(run: RunFolder, data: RunData, values_K: np.ndarray, own_counts: ConfusionCounts) -> None:
    """Metrics of all labels together, and the form that saves the set."""
    now = micro_macro_averages(counts_at(own_counts, data, values_K))
    own = micro_macro_averages(own_counts)
    moved = sorted(_changed_thresholds(run))
    with st.container(border=True):
        names = ", ".join(escape_markdown(data.names[k]) for k in moved[:8]) + (
            " ..." if len(moved) > 8 else ""
        )
        st.markdown(f"**All labels together** · {f'moved: {names}' if moved else 'no threshold moved yet'}")
        titles = (("micro_f1", "Micro-F1"), ("macro_f1", "Macro-F1"), ("micro_precision", "Micro-precision"),
                  ("micro_recall", "Micro-recall"))  # fmt: skip
        st.markdown(
            " · ".join(f"{title} {now[key]:.3f} ({now[key] - own[key]:+.3f})" for key, title in titles)
        )
        with st.form("keep thresholds", border=False):
            left, right = st.columns([3, 1], vertical_alignment="bottom")
            left.text_input(
                "Save as a new threshold set", placeholder="a name, such as strict", key="threshold name"
            )
            right.form_submit_button(
                "Save", key="save thresholds", width="stretch", on_click=_save, args=(run, data, values_K)
            )
        if message := st.session_state.pop("threshold message", None):
            good, text = message
            (st.success if good else st.error)(text)


def _save(run: RunFolder, data: RunData, values_K: np.ndarray) -> None:
    name = str(st.session_state["threshold name"]).strip()
    known = run.threshold_sets()
    try:
        if name in known:
            raise TaggerError(f"A threshold set {name!r} exists already. Choose another name.")
        run.save_threshold_set(name, dict(zip(data.names, values_K.tolist(), strict=True)))
    except (TaggerError, OSError) as error:
        st.session_state["threshold message"] = (False, escape_markdown(error))
        return
    text = f"Saved. Use it: tagger predict FOLDER --run {run.path} --thresholds '{name}'"
    st.session_state["threshold message"] = (True, escape_markdown(text))
