"""States of the pages beside the review, for their screenshots (see screenshots.py)."""

from pathlib import Path
from typing import Any

import numpy as np

from tagger.review import Decision, LabelOperation, Store
from tagger.runs import RunFolder

PAIRS = 40  # cells that two people judge; they differ on a few


def fill(url: str, run: RunFolder) -> None:
    """Write what two people would have: decisions that mostly agree, one label renamed and one added."""
    rng = np.random.default_rng(0)
    images = run.load_images()
    labels_NK = run.load_cells()
    names = run.load_labels()
    store = Store.open(url)
    rows = rng.choice(len(images), min(PAIRS, len(images)), replace=False)
    decisions = []
    for seq, row in enumerate(rows.tolist()):
        k = int(rng.integers(min(5, len(names))))
        given = int(labels_NK[row, k])
        for reviewer in ("ben", "cleo"):
            value = given if rng.random() < 0.9 else 1 - given
            decisions.append(
                Decision(
                    hash=images["hash"][row],
                    label=names[k],
                    verdict="yes" if value else "no",
                    before=given,
                    suggested=1 - given,
                    doubt=0.5,
                    run=run.path.name,
                    reviewer=reviewer,
                    seconds=1.5,
                    client=reviewer,
                    seq=seq,
                )
            )
    store.record(decisions)
    for seq, (kind, label, target) in enumerate(
        (("add", "letter", None), ("rename", names[-1], f"a {names[-1]}"))
    ):
        store.record_operation(
            LabelOperation(kind=kind, label=label, target=target, reviewer="ben", client="labels", seq=seq)
        )
    store.close()


def on_thresholds(page: Any) -> None:
    """The threshold of the most frequent label, dragged a little."""
    page.get_by_role("tab", name="Thresholds").click()
    chart = page.locator('[data-testid="stVegaLiteChart"] svg').filter(has_text="at 0.").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    across, middle = box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2
    page.mouse.move(across, middle)
    page.mouse.down()
    for step in range(10):
        page.mouse.move(across + 10 * step, middle)
    page.mouse.up()
    page.mouse.move(5, 5)


def on_tab(name: str) -> Any:
    """A step that opens the tab of this name."""
    return lambda page: page.get_by_role("tab", name=name).click()


def on_tried(photo: Path) -> Any:
    """A step that drops a photo and asks where the model sees its first label."""

    def step(page: Any) -> None:
        page.locator('input[type="file"]').set_input_files(photo)
        page.locator('[data-testid="stVegaLiteChart"]').wait_for(timeout=120_000)
        shown = page.locator('[data-testid="stImage"] img').first
        plain = shown.get_attribute("src")
        page.get_by_label("Show where the model sees").click()
        page.get_by_role("option").nth(1).click()
        page.wait_for_function("([image, plain]) => image.src !== plain", arg=[shown.element_handle(), plain])
        page.mouse.move(5, 5)

    return step


def page_states(run: RunFolder) -> tuple[tuple[str, str, Any, tuple[int, int], str], ...]:
    """name, path, what to do first, window, colour scheme: the states of pages that take a step to reach."""
    small, large = (1280, 800), (1920, 1080)
    photo = Path(run.load_settings().data.path) / str(run.load_images()["file"][9])
    return (
        ("overview-thresholds", "overview", on_thresholds, small, "light"),
        ("overview-thresholds-dark", "overview", on_thresholds, large, "dark"),
        ("overview-training", "overview", on_tab("Training"), small, "dark"),
        ("data-together", "data", on_tab("Co-occurrence"), small, "dark"),
        ("try-it", "try", on_tried(photo), small, "light"),
    )
