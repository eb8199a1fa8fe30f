"""Registries: options are read off signatures, and every mistake names the nearest right word."""

import importlib
from typing import Any

import pytest

from tagger.errors import TaggerError
from tagger.registry import Registry

FAMILIES = {"tagger.heads": "heads", "tagger.losses": "losses", "tagger.batches.samplers": "samplers"}


@pytest.fixture
def shapes() -> Registry:
    """A registry of two parts."""
    registry = Registry("shape")

    @registry.register("square")
    def square(size: int, *, filled: bool = False) -> tuple[str, int, bool]:
        return "square", size, filled

    @registry.register("circle")
    class Circle:
        def __init__(self, size: int, *, colour: str = "red", width: float = 1.0):
            self.size, self.colour, self.width = size, colour, width

    return registry


def test_names_are_sorted(shapes: Registry):
    assert shapes.names() == ["circle", "square"]


def test_options_are_the_keyword_only_arguments_of_functions_and_classes(shapes: Registry):
    assert shapes.options("square") == {"filled": False}
    assert shapes.options("circle") == {"colour": "red", "width": 1.0}


def test_a_part_is_built_from_what_is_known_and_what_was_chosen(shapes: Registry):
    assert shapes.build("square", 3, filled=True) == ("square", 3, True)
    assert shapes.build("circle", 2, colour="blue").colour == "blue"


def test_an_unknown_name_suggests_the_nearest_and_lists_all(shapes: Registry):
    with pytest.raises(TaggerError) as error:
        shapes.build("cirle", 1)
    assert str(error.value) == "Unknown shape 'cirle'. Did you mean 'circle'? Available: circle, square"


@pytest.mark.parametrize("option", ["size", "colur"])
def test_an_unknown_option_is_refused_even_if_it_is_a_positional_one(shapes: Registry, option: str):
    with pytest.raises(
        TaggerError, match=f"shape 'circle' has no option '{option}'.*It takes: colour, width"
    ):
        shapes.check("circle", {option: 1})


def test_a_name_taken_twice_is_our_mistake(shapes: Registry):
    with pytest.raises(ValueError, match="shape 'square' is registered twice"):
        shapes.register("square")(dict)


@pytest.mark.parametrize(("module", "name"), FAMILIES.items())
def test_every_registered_part_says_what_it_is_and_has_a_default_for_every_option(module: str, name: str):
    family: Any = getattr(importlib.import_module(module), name)
    assert family.names()
    for part in family.names():
        assert (family.find(part).__doc__ or "").strip(), part
        for option, default in family.options(part).items():
            assert isinstance(default, bool | int | float | str | tuple), (part, option)


@pytest.mark.parametrize(
    ("part", "option", "value"),
    [
        ("square", "filled", 1),
        ("circle", "colour", 3),
        ("circle", "width", "wide"),
        ("circle", "width", True),
    ],
)
def test_a_value_of_the_wrong_kind_is_said_before_the_part_is_built(
    shapes: Registry, part: str, option: str, value: Any
):
    with pytest.raises(TaggerError, match=f"shape '{part}': {option} must be .*, not {value!r}"):
        shapes.check(part, {option: value})


def test_a_whole_number_will_do_for_any_number(shapes: Registry):
    assert shapes.build("circle", 1, width=2).width == 2
