"""Which images are hardly worth labelling? Dark, bright, blurred, tiny, odd in shape, or of one colour.

Dark and bright mean that little can be seen: by the mean alone 124 of 8,000 photos were dark, most of them lamps, moons
and faces against black that show their subject well; with little contrast as well it is 20, nearly all of them murky.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data_tools.looks import Looks

KINDS = ("dark", "bright", "one-colour", "blurred", "tiny", "odd-aspect")


def poor_images(
    looks: Looks,
    files: Sequence[str],
    *,
    dark: float = 25.0,
    bright: float = 225.0,
    faint: float = 20.0,
    one_colour: float = 4.0,
    blurred: float = 0.08,
    tiny: int = 32,
    aspect: float = 4.0,
) -> pd.DataFrame:
    """A row per image with something wrong: ``file``, ``kinds`` (joined by ``|``), width, height and what was measured.

    ``dark`` and ``bright`` bound the mean grey level of images that vary by less than ``faint`` (deviation, levels of
    255), ``one_colour`` the deviation itself, ``blurred`` the sharpness, ``tiny`` the shorter side (pixels), ``aspect``
    the longer side over the shorter. An image of one colour is not also called blurred. Images that cannot be read are
    left to ``tagger data check``. docs/data.md has the shares of real photos that these defaults name.
    """
    short_N, long_N = np.minimum(looks.width_N, looks.height_N), np.maximum(looks.width_N, looks.height_N)
    plain_N = looks.contrast_N < one_colour
    found = {
        "dark": (looks.light_N < dark) & (looks.contrast_N < faint),
        "bright": (looks.light_N > bright) & (looks.contrast_N < faint),
        "one-colour": plain_N,
        "blurred": (looks.sharpness_N < blurred) & ~plain_N,
        "tiny": short_N < tiny,
        "odd-aspect": long_N > aspect * np.maximum(short_N, 1),
    }
    found_NC = np.stack([found[kind] for kind in KINDS], axis=1) & looks.readable_N[:, None]
    rows = np.flatnonzero(found_NC.any(axis=1))
    return pd.DataFrame(
        {
            "file": [files[n] for n in rows.tolist()],
            "kinds": ["|".join(np.array(KINDS)[found_NC[n]]) for n in rows],
            "width": looks.width_N[rows],
            "height": looks.height_N[rows],
            "light": looks.light_N[rows].round(1),
            "contrast": looks.contrast_N[rows].round(1),
            "sharpness": looks.sharpness_N[rows].round(3),
        }
    )
