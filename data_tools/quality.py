"""Images of low quality: dark, bright, blurred, tiny, odd in aspect, or of one colour.

Dark and bright images also need little contrast: by the mean alone 124 of 8,000 photos were dark, most of
them lamps, moons and faces against black that show their subject well; with little contrast 20 are left,
nearly all of them murky.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data_tools.image_measures import ImageMeasures

QUALITY_KINDS = ("dark", "bright", "one-colour", "blurred", "tiny", "odd-aspect")


def low_quality_images(
    measures: ImageMeasures,
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
    """A table of low-quality images: ``file``, ``kinds`` (joined by ``|``), width, height and measures.

    ``dark`` and ``bright`` bound the mean grey level of images whose deviation is below ``faint`` (levels of
    255), ``one_colour`` the deviation itself, ``blurred`` the sharpness, ``tiny`` the shorter side (pixels),
    ``aspect`` the longer side over the shorter. An image of one colour does not also count as blurred.
    Unreadable images are not listed: see ``tagger data check``. docs/data.md has the shares of real photos
    that these defaults find.
    """
    short_N = np.minimum(measures.width_N, measures.height_N)
    long_N = np.maximum(measures.width_N, measures.height_N)
    plain_N = measures.contrast_N < one_colour
    found = {
        "dark": (measures.brightness_N < dark) & (measures.contrast_N < faint),
        "bright": (measures.brightness_N > bright) & (measures.contrast_N < faint),
        "one-colour": plain_N,
        "blurred": (measures.sharpness_N < blurred) & ~plain_N,
        "tiny": short_N < tiny,
        "odd-aspect": long_N > aspect * np.maximum(short_N, 1),
    }
    found_NC = np.stack([found[kind] for kind in QUALITY_KINDS], axis=1) & measures.readable_N[:, None]
    rows = np.flatnonzero(found_NC.any(axis=1))
    return pd.DataFrame(
        {
            "file": [files[n] for n in rows.tolist()],
            "kinds": ["|".join(np.array(QUALITY_KINDS)[found_NC[n]]) for n in rows],
            "width": measures.width_N[rows],
            "height": measures.height_N[rows],
            "light": measures.brightness_N[rows].round(1),
            "contrast": measures.contrast_N[rows].round(1),
            "sharpness": measures.sharpness_N[rows].round(3),
        }
    )
