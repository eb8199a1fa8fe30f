"""Every plot is a PNG that depends on its data, for any label name and any amount of data; warnings are errors."""

from io import BytesIO

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tagger.runs.report import plots
from tagger.runs.report.label_fonts import drawable_texts
from tagger.scoring import evaluate

ODD = [
    "$a$ costs $5",
    "x_{2}^3$",
    "猫と犬",
    "עברית",
    "🐕 dog",
    "two\nlines\t",
    "",
    "\x00\x07",
    "w" * 200,
    '"q", \\alpha',
    "\ud800",
]


def problem(num_labels=3, num_images=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random((num_images, num_labels)) < 0.4).astype(np.int8)
    labels[rng.random(labels.shape) < 0.1] = -1
    return labels, np.clip(0.3 * labels + rng.random(labels.shape) * 0.7, 0, 1)


def names_of(num_labels):
    return [*ODD, *(f"label {k}" for k in range(num_labels))][:num_labels]


def pixels(data):
    """The image as an array, after checking that it is a PNG with something on it."""
    assert data.startswith(b"\x89PNG")
    array = np.asarray(Image.open(BytesIO(data)).convert("RGB"))
    assert array.std() > 0
    return array


def drawn_apart(one, other):
    """Whether two pictures differ: what differs in the numbers is to be seen."""
    first, second = pixels(one), pixels(other)
    return first.shape != second.shape or bool((first != second).any())


@pytest.mark.parametrize("num_labels", [1, 2, 11, 30])
def test_precision_recall_draws_any_number_of_labels_with_any_name(num_labels):
    labels, probs = problem(num_labels)
    plain = plots.plot_precision_recall(labels, probs, names_of(num_labels))
    marked = plots.plot_precision_recall(labels, probs, names_of(num_labels), np.full(num_labels, 0.5))
    assert pixels(plain).shape[1] >= 400
    assert plain != marked


def test_precision_recall_without_a_usable_label_is_a_sentence():
    nothing = plots.plot_precision_recall(
        np.zeros((4, 2), np.int8), np.zeros((4, 2)), ["a", "b"], np.zeros(2)
    )
    assert pixels(nothing).shape[0] < 200


def history(epochs=5):
    n = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {"epoch": n, "train_loss": 1 / n, "val_loss": 1.1 / n, "val_map": 1 - 1 / n, "lr": 1e-3 / n}
    )


@pytest.mark.parametrize("epochs", [1, 2, 50])
def test_learning_curves_draw_any_number_of_epochs(epochs):
    changed = history(epochs)
    changed.loc[epochs - 1, "val_map"] += 0.2
    assert drawn_apart(plots.plot_learning_curves(history(epochs)), plots.plot_learning_curves(changed))


@pytest.mark.parametrize("table", [history(2), history(2).drop(columns="epoch"), history(2).iloc[:0]])
def test_learning_curves_give_pandas_no_index_where_it_wants_values(table, monkeypatch):
    """Series.where with an Index is an AssertionError inside pandas 2.2 to 3.0."""
    where = pd.Series.where

    def strict(self, cond, other=np.nan, **options):
        assert not isinstance(other, pd.Index)
        return where(self, cond, other, **options)

    monkeypatch.setattr(pd.Series, "where", strict)
    assert (pixels(plots.plot_learning_curves(table)).shape[0] < 200) == table.empty  # a sentence, or curves


@pytest.mark.parametrize("columns", [["train_loss"], ["epoch", "val_map"], ["lr", "val_loss"]])
def test_learning_curves_draw_the_columns_that_are_there(columns):
    assert (
        pixels(plots.plot_learning_curves(history()[columns])).shape[1]
        < pixels(plots.plot_learning_curves(history())).shape[1]
    )


def test_learning_curves_skip_what_is_empty_or_not_a_number():
    gaps = history()
    gaps.loc[1, "val_map"], gaps.loc[2, "train_loss"], gaps["lr"] = np.nan, np.inf, None
    assert drawn_apart(plots.plot_learning_curves(gaps), plots.plot_learning_curves(history()))
    for empty in (history().iloc[:0], pd.DataFrame(), pd.DataFrame({"epoch": [1]})):
        assert pixels(plots.plot_learning_curves(empty)).shape[0] < 200


def test_reliability_shows_one_set_or_two():
    labels, probs = problem(num_images=400)
    one, two = plots.plot_reliability(labels, probs), plots.plot_reliability(labels, probs, probs**2)
    assert (pixels(one) != pixels(two)).any()
    unknown = plots.plot_reliability(-np.ones((3, 2), np.int8), np.zeros((3, 2)))
    assert drawn_apart(plots.plot_reliability(labels[:1], probs[:1]), unknown)


def test_reliability_takes_probabilities_of_exactly_0_and_1():
    labels = np.repeat(np.array([[0], [1]], np.int8), 20, axis=0)
    right = plots.plot_reliability(labels, labels.astype(float), labels.astype(np.float32))
    wrong = plots.plot_reliability(labels, 1 - labels.astype(float), labels.astype(np.float32))
    assert drawn_apart(right, wrong)


@pytest.mark.parametrize("num_labels", [1, 11, 45])
def test_cooccurrence_draws_any_number_of_labels_with_any_name(num_labels):
    labels, _ = problem(num_labels)
    fewer = np.where(np.arange(len(labels))[:, None] % 2, labels, 0)
    assert drawn_apart(*(plots.plot_cooccurrence(cells, names_of(num_labels)) for cells in (labels, fewer)))


def test_cooccurrence_of_a_label_that_never_occurs_and_of_no_label():
    never = plots.plot_cooccurrence(np.array([[0, 1], [-1, 1]], np.int8), ["never", "often"])
    once = plots.plot_cooccurrence(np.array([[0, 1], [1, 1]], np.int8), ["never", "often"])
    assert drawn_apart(never, once)
    assert pixels(plots.plot_cooccurrence(np.zeros((0, 0), np.int8), [])).shape[0] < 200  # a sentence


@pytest.mark.parametrize("num_labels", [1, 11, 45])
def test_bars_draw_the_table_of_an_evaluation(num_labels):
    labels, probs = problem(num_labels)
    labels[:, -1] = 0  # nothing is defined for it
    table = evaluate(labels, probs, np.full(num_labels, 0.5), names_of(num_labels), shared=0.5, draws=10)
    other = evaluate(labels, 1 - probs, np.full(num_labels, 0.5), names_of(num_labels), shared=0.5, draws=10)
    same = num_labels == 1  # the only label is the one without a definition
    drawn = plots.plot_per_label(table["per_label"])
    assert drawn_apart(drawn, plots.plot_per_label(other["per_label"])) != same
    assert pixels(drawn).shape[0] >= 20 * num_labels  # a row of its own for each label


def test_bars_of_no_label_are_a_sentence():
    assert pixels(plots.plot_per_label({})).shape[0] < 200


def test_the_same_data_gives_the_same_bytes_and_nothing_global_changes():
    labels, probs = problem()
    before = dict(mpl.rcParams)
    assert plots.plot_reliability(labels, probs) == plots.plot_reliability(labels, probs)
    assert dict(mpl.rcParams) == before


def test_names_are_made_legible_and_stay_apart():
    names = drawable_texts(ODD, max_chars=20).names
    assert len(set(names)) == len(ODD)
    assert names[0] == r"\$a\$ costs \$5"
    assert names[5] == "two lines"
    assert names[6] == "7: (empty)"
    assert names[8] == "w" * 19 + "…"
