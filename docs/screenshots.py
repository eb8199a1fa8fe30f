"""Makes docs/screenshots/: every page of the review app and a picture of `tagger explain`, on the digits of
the demo.

    make demo
    python docs/screenshots.py

Decisions go to a database of its own, so that the demo stays as it was. Needs Chromium and playwright
(extra ``test``).
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "ui"))  # the server and the browser of the tests

from browsing import Server, open_browser  # noqa: E402
from page_states import fill, page_states  # noqa: E402

import tagger  # noqa: E402
from tagger.runs import RunFolder  # noqa: E402

OUT = ROOT / "docs" / "screenshots"
SMALL, LARGE = (1280, 800), (1920, 1080)
COLOURS = (200, 96, 48, 32)  # of a palette: a third of the bytes, and no difference to the eye
MOST_BYTES = 250_000


def on_card(page: Any) -> None:
    """A card that has a suggestion, after a few decisions."""
    page.wait_for_selector(".card[data-shown]")
    for _ in range(4):
        page.keyboard.press("Enter" if not page.locator(".card.blind").count() else "n")
        page.wait_for_timeout(700)
    if page.locator(".card.blind").count():
        page.keyboard.press("n")


def on_blind_card(page: Any) -> None:
    """The next blind card."""
    page.wait_for_selector(".card[data-shown]")
    for _ in range(30):
        if page.locator(".card.blind").count():
            return
        page.keyboard.press("Enter")
        page.wait_for_timeout(500)


def on_heat(page: Any) -> None:
    """A card with the heat map over its photo."""
    on_card(page)
    for _ in range(10):
        page.wait_for_timeout(900)
        page.keyboard.press("h")
        page.wait_for_selector(".heat:not([hidden]), .toast:not([hidden])", timeout=120_000)
        if page.locator(".heat:not([hidden])").count():
            return  # some photos have no map: nothing speaks for the label
        page.keyboard.press("s")


def on_grid(page: Any) -> None:
    """The grid, two exceptions marked."""
    page.wait_for_selector(".card[data-shown]")
    page.keyboard.press("g")
    page.wait_for_selector(".grid[data-shown]")
    for key in "bn":
        page.keyboard.press(key)


def on_help(page: Any) -> None:
    """The keys."""
    page.wait_for_selector(".card[data-shown]")
    page.keyboard.press("?")


def on_photo(page: Any) -> None:
    """The page Photos at one photo."""
    page.get_by_label("File name").fill("00012")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="00012").click()
    page.get_by_role("button", name="All photos").wait_for()
    page.wait_for_selector("[data-testid=stImage] img")


def on_page(page: Any) -> None:
    """A page as it first stands there."""
    page.wait_for_selector("[data-testid=stMain]")


# name, path, what to do first, window, colour scheme
STATES: tuple[tuple[str, str, Callable[[Any], None], tuple[int, int], str], ...] = (
    ("review-card", "", on_card, SMALL, "light"),
    ("review-card-dark", "", on_card, LARGE, "dark"),
    ("review-blind", "", on_blind_card, SMALL, "light"),
    ("review-heat-map", "", on_heat, SMALL, "dark"),
    ("review-grid", "", on_grid, SMALL, "light"),
    ("review-grid-dark", "", on_grid, LARGE, "dark"),
    ("review-keys", "", on_help, SMALL, "light"),
    ("photos", "photos", on_photo, SMALL, "light"),
    ("overview", "overview", on_page, LARGE, "light"),
    ("data", "data", on_page, LARGE, "light"),
    ("labels", "labels", on_page, SMALL, "light"),
    ("disagreements", "disagreements", on_page, SMALL, "light"),
    ("retrain", "retrain", on_page, SMALL, "light"),
    ("compare", "compare", on_page, LARGE, "dark"),
)


def main() -> None:
    """Take all pictures, or those whose name holds ``--only``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("demo/retrained"))
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        more = ["--store", f"sqlite:///{folder}/review.db", "--reviewer", "ann"]
        run = RunFolder(options.run)
        fill(more[1], run)
        server = Server(options.run, Path(folder), *more)
        server.start()
        try:
            for name, path, prepare, (width, height), scheme in (*STATES, *page_states(run)):
                if options.only in name:
                    window = {"width": width, "height": height}
                    context = browser.new_context(viewport=window, color_scheme=scheme)
                    take(context.new_page(), server.url + path, prepare, options.out / f"{name}.png")
                    context.close()
        finally:
            server.stop()
    if options.only in "explain":
        explained(options.run, options.out / "explain.png")


def explained(run: Path, path: Path) -> None:
    """Save what `tagger explain --against` draws of one new photo: the retrained run and the one before it."""
    photo = run.parent / "new" / "new-00017.jpg"
    with tempfile.TemporaryDirectory() as folder:
        table = tagger.explain_images(photo, run=run, against=run.parent / "run", labels=["zero"], out=folder)
        with Image.open(table["picture"][0]) as picture:
            picture.convert("RGB").save(path, optimize=True)
    print(f"{path}  {path.stat().st_size / 1000:.0f} kB")


def take(page: Any, url: str, prepare: Callable[[Any], None], path: Path) -> None:
    """Save one picture."""
    page.goto(url)
    prepare(page)
    page.wait_for_timeout(3000)
    image = Image.open(BytesIO(page.screenshot())).convert("RGB")
    for colours in COLOURS:
        image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            break
    print(f"{path}  {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
