"""Label names as text that matplotlib can draw: fonts, length, ``$`` and line breaks."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

BASE_FONT = "DejaVu Sans"  # ships with matplotlib, so a plot looks the same everywhere
MISSING_GLYPH = "\N{WHITE SQUARE}"


@dataclass(frozen=True)
class DrawableTexts:
    """Names made legible, and the font families that they need, in the order to try."""

    names: list[str]
    font_families: list[str]

    def apply_fonts(self, texts: Sequence[Text]) -> None:
        """Give these texts the font families."""
        for text in texts:
            text.set_fontfamily(self.font_families)


def drawable_texts(names: Sequence[str], *, max_chars: int = 24) -> DrawableTexts:
    """Names on one line, at most ``longest`` characters, ``$`` escaped, with fonts that have their characters.

    A character that no installed font has becomes an empty square, and such a name, like an empty one,
    starts with its place in ``names`` (1 = first), so that two of them can be told apart. Nothing warns.

    >>> drawable_texts(["a$b", "two\\nlines", "x" * 30], max_chars=10).names
    ['a\\\\$b', 'two lines', 'xxxxxxxxx…']
    """
    plain = [" ".join(_visible(str(name)).split()) for name in names]
    short = [name if len(name) <= max_chars else name[: max_chars - 1].rstrip() + "…" for name in plain]
    needed = frozenset("".join(short)) - _characters_of(BASE_FONT)
    font_families, missing = _families_for(needed)
    drawn = []
    for number, name in enumerate(short, start=1):
        if not name or missing.intersection(name):
            name = f"{number}: " + ("".join(MISSING_GLYPH if c in missing else c for c in name) or "(empty)")
        drawn.append(name.replace("$", r"\$"))
    return DrawableTexts(drawn, [BASE_FONT, *font_families])


def _visible(name: str) -> str:
    """Control characters, line breaks and lone surrogates become spaces."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp", "Cn") else c for c in name)


@lru_cache(maxsize=64)
def _characters_of(family: str, path: str | None = None) -> frozenset[str]:
    """Every character that a font has."""
    found = path or font_manager.findfont(family)
    return frozenset(map(chr, FT2Font(found).get_charmap()))


@lru_cache(maxsize=64)
def _families_for(needed: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Installed families that together have the most of these characters, and the characters that none has."""
    font_families: list[str] = []
    candidates = (
        sorted({font.name: font.fname for font in font_manager.fontManager.ttflist}.items()) if needed else []
    )
    for family, path in candidates:
        if not needed:
            break
        if "Emoji" in family or "Last Resort" in family or "LastResort" in family:
            continue  # colour bitmaps that matplotlib cannot draw, and a font of boxes
        try:
            covered = needed & _characters_of(family, path)
        except (OSError, RuntimeError):
            continue  # a broken font file is no reason to fail
        if covered:
            font_families.append(family)
            needed = needed - covered
    return tuple(font_families), needed
