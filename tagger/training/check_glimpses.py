"""Checks of the glimpses' settings against each other and the others, before an image is read."""

from tagger.config import Settings
from tagger.errors import TaggerError


def check_glimpses(settings: Settings) -> None:
    """TaggerError, with all reasons, if the settings of glimpses make no sense together; nothing where they are off."""
    if not settings.glimpses.count:
        return
    reasons = [*_own_reasons(settings), *_reasons_with_others(settings)]
    if reasons:
        raise TaggerError(f"glimpses.count = {settings.glimpses.count}: {'; '.join(reasons)}.")


def _own_reasons(settings: Settings) -> list[str]:
    chosen, cells = settings.glimpses, settings.glimpses.grid**2
    reasons = []
    if chosen.count == 1:
        reasons.append(
            "one cell alone cannot learn where to look, as its weight is normalised away. Take 2 or more"
        )
    if chosen.count > cells:
        reasons.append(f"the grid has {cells} cells (glimpses.grid = {chosen.grid})")
    if chosen.size % chosen.grid:
        whole = max(1, chosen.size // chosen.grid) * chosen.grid
        reasons.append(
            f"glimpses.size = {chosen.size} does not make {chosen.grid} whole cells a side. {whole} does"
        )
    if chosen.size <= settings.image.size:
        reasons.append(
            f"glimpses.size = {chosen.size} shows no more than image.size = {settings.image.size}. Make it larger, or"
            " image.size smaller"
        )
    return reasons


def _reasons_with_others(settings: Settings) -> list[str]:
    reasons = []
    if not settings.train.epochs:
        reasons.append(
            "glimpses learn with the network, but train.epochs = 0 trains only a head on cached features. Use --preset"
            " standard, or --set train.epochs=3"
        )
    if settings.image.progressive_start:
        reasons.append(
            "image.progressive_start grows the photos, and cells are cut from photos of one size. Set it to 0"
        )
    if settings.train.compile:
        reasons.append("cells cannot pass through a compiled network. Set train.compile=false")
    if settings.sequence.length:
        reasons.append("frames in order are read without glimpses. Set sequence.length=0")
    return reasons
