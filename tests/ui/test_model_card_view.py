"""The model card on its page: formatted, with its plots, and nothing that calls out or leads elsewhere."""

from pathlib import Path

import pytest
from reviewing import make_run
from streamlit.testing.v1 import AppTest

from tagger.ui.model_card_view import card_parts

HOSTILE = (
    "![x](http://e.example/a.png)", "[click](https://e.example)", "<img src=x>", ":material/delete:", "$\\frac{a}{b}$",
    "![x](plots/../../secret.png)", "www.e.example", ":red[x]", "a@e.example", "![x](plots/a.png) ![y](http://e.x)",
)  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("frame", ["{}", "# {}", "| a | {} |", "> {}", "* {}", "\\[{}"])
def test_a_name_in_the_card_loads_nothing(hostile: str, frame: str):
    (part,) = card_parts(frame.format(hostile))
    assert part.plot is None
    bare = part.text.replace("\\\\", "")
    for character in "[]$:<":
        assert all(at and bare[at - 1] == "\\" for at in range(len(bare)) if bare[at] == character), part.text
    assert "www." not in part.text


def test_tables_code_and_plots_stay_what_they_are():
    card = "# Title\n\n| a | b |\n| --- | ---: |\n| `x:y` | 2 |\n\n![AP](plots/per_label.png)\n\n```\na: [b]\n```"
    first, plot, last = card_parts(card)
    assert first.text.splitlines()[:5] == card.splitlines()[:5]
    assert (plot.text, plot.plot) == ("AP", Path("plots/per_label.png"))
    assert "a: [b]" in last.text
    (open_code,) = card_parts("```\n<b>")
    assert open_code.text.endswith("```")


def page(path: str) -> None:
    """The card, as a script of AppTest."""
    from tagger.runs import RunFolder
    from tagger.ui.model_card_view import show_model_card

    show_model_card(RunFolder(path))


def test_the_card_of_a_real_run_is_shown(finished: Path, demo: Path, tmp_path: Path):
    run = make_run(finished, demo, tmp_path)
    shown = AppTest.from_function(page, kwargs={"path": str(run.path)}, default_timeout=60).run()
    assert not shown.exception
    assert "How good it is" in " ".join(one.value for one in shown.markdown)
    run.card_path.unlink()
    assert "no README" in shown.run().info[0].value
