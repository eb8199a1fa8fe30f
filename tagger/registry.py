"""Registry of named parts: heads, losses, regularisers, samplers, signals and readers register here."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, TypeVar, get_args

from tagger.errors import TaggerError, did_you_mean

TYPE_NAMES: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}

RegisteredPart = TypeVar("RegisteredPart", bound=Callable[..., Any])


class Registry:
    """A registry of one family of parts, e.g. ``losses = Registry("loss")``.

    A part's options are its keyword-only arguments; the pipeline passes the positional ones.

    >>> shapes = Registry("shape")
    >>> @shapes.register("square")
    ... def square(size, *, filled: bool = False):
    ...     return size, filled
    >>> shapes.build("square", 3, filled=True)
    (3, True)
    >>> shapes.options("square")
    {'filled': False}
    """

    def __init__(self, kind: str):
        self.kind = kind
        self._parts: dict[str, Callable[..., Any]] = {}

    def register(self, name: str) -> Callable[[RegisteredPart], RegisteredPart]:
        """Decorator that makes a part available as ``name``. ValueError if the name is already registered."""

        def add(part: RegisteredPart) -> RegisteredPart:
            if name in self._parts:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._parts[name] = part
            return part

        return add

    def names(self) -> list[str]:
        """All registered names, sorted."""
        return sorted(self._parts)

    def options(self, name: str) -> dict[str, Any]:
        """The part's options with their defaults: its keyword-only arguments."""
        params = signature(self.find(name)).parameters.values()
        return {p.name: p.default for p in params if p.kind is Parameter.KEYWORD_ONLY}

    def build(self, name: str, *known: Any, **chosen: Any) -> Any:
        """The part, built from the pipeline's arguments (positional) and the user's options (keyword)."""
        self.check(name, chosen)
        return self.find(name)(*known, **chosen)

    def check(self, name: str, chosen: dict[str, Any]) -> None:
        """Pass if the part and its options exist; TaggerError with the nearest name otherwise.

        A value must have the type of the option's default; a whole number also counts as a number.
        """
        allowed = self.options(name)
        for option, value in chosen.items():
            if option not in allowed:
                raise TaggerError(
                    f"{self.kind} {name!r} has no option {option!r}.{did_you_mean(option, allowed)}"
                    f" It takes: {', '.join(allowed) or 'nothing'}"
                )
            wanted = type(allowed[option])
            if isinstance(value, bool) and bool in get_args(self._annotation(name, option)):
                continue
            fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
            if wanted in TYPE_NAMES and (not fits or (isinstance(value, bool) and wanted is not bool)):
                raise TaggerError(
                    f"{self.kind} {name!r}: {option} must be {TYPE_NAMES[wanted]}, such as {allowed[option]!r},"
                    f" not {value!r}."
                )

    def _annotation(self, name: str, option: str) -> Any:
        """The type that an option is annotated with."""
        return signature(self.find(name)).parameters[option].annotation

    def find(self, name: str) -> Callable[..., Any]:
        """The part of that name; TaggerError with the nearest name if there is none."""
        if name not in self._parts:
            raise TaggerError(
                f"Unknown {self.kind} {name!r}.{did_you_mean(name, self._parts)} Available: {', '.join(self.names())}"
            )
        return self._parts[name]
