"""Default answers and words of the page, run in a browser: a change only where it is likely, shares in plain words."""

import json
from importlib.resources import files

import pytest
from browsing import open_browser

SCRIPT = (files("tagger.ui.component") / "doubt.js").read_text("utf-8")


@pytest.fixture(scope="module")
def evaluate():
    """Function that gives the value of an expression after ``doubt.js``, in a page without any server."""
    with open_browser() as browser:
        page = browser.new_page()
        yield lambda expression: json.loads(
            page.evaluate(f"() => {{ {SCRIPT}; return JSON.stringify({expression}); }}")
        )
        page.close()


@pytest.mark.parametrize("doubt", [0.0, 0.004, 0.3, 0.499, 0.5, 0.51, 0.999])
@pytest.mark.parametrize("given", [0, 1])
def test_enter_changes_a_label_only_where_that_is_likely(evaluate, doubt, given):
    card = {"blind": False, "given": given, "suggested": 1 - given, "doubt": doubt}
    assert evaluate(f"defaultAnswer({json.dumps(card)})") == (1 - given if doubt >= 0.5 else given)


def test_a_blind_card_or_an_unknown_label_has_no_default(evaluate):
    blind = {"blind": True, "given": 1, "suggested": 0, "doubt": 0.9}
    unknown = {"blind": False, "given": -1, "suggested": 1, "doubt": 0.2}
    assert evaluate(f"[defaultAnswer({json.dumps(blind)}), defaultAnswer({json.dumps(unknown)})]") == [
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("doubt", "words"),
    [
        (0.0001, "fewer than 1 in 1,000"), (0.004, "about 1 in 200"), (0.05, "about 1 in 20"), (0.1, "about 1 in 10"),
        (0.34, "about 1 in 3"), (0.49, "about 1 in 2"), (0.5, "about 5 in 10"), (0.83, "about 8 in 10"),
        (0.99, "nearly all"),
    ],
)  # fmt: skip
def test_shares_are_said_in_plain_words(evaluate, doubt, words):
    assert evaluate(f"share({doubt})") == words


@pytest.mark.parametrize("doubts", [[0.01] * 24, [0.9, 0.8, 0.02, 0.01], [0.9, 0.8, 0.7, 0.1], [0.6, 0.4]])
def test_a_page_begins_with_each_photo_on_its_likelier_side(evaluate, doubts):
    page = {"cards": [{"doubt": doubt} for doubt in doubts]}
    found = evaluate(
        f"(() => {{ const page = startMarks({json.dumps(page)});"
        " return [[...page.cards.keys()].map((index) => changes(page, index)), page.marks.size]; })()"
    )
    changed, marked = found
    assert evaluate('marksShow({direction: "missing", marksChange: true})') is True
    assert evaluate('marksShow({direction: "spurious", marksChange: true})') is False
    assert changed == [doubt >= 0.5 for doubt in doubts]
    assert marked <= len(doubts) / 2  # the rarer answer is the one that is marked
