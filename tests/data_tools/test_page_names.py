"""The page of ``tagger data stats`` in a real browser: names are text there too, and nothing is fetched."""

from pathlib import Path
from typing import Any

import pandas as pd
from browsing import open_browser
from PIL import Image
from test_app_names import AS_FILES, COUNT, HOSTILE, TRACES


def test_names_on_the_page_of_statistics_are_text(tmp_path: Path, tagger_cli: Any):
    data = tmp_path / "data"
    data.mkdir()
    names = [f"{text[:180]} {number}.jpg" for number, text in enumerate(AS_FILES * 3)]
    for number, name in enumerate(names):
        Image.new("RGB", (60, 40), (13 * number, 90, 20)).save(data / name)
    labels = [f"{HOSTILE[at % 6]}|{HOSTILE[(at + 1) % 6]}".replace(",", ";") for at in range(len(names))]
    pd.DataFrame({"file": names, "labels": labels}).to_csv(data / "labels.csv", index=False)
    (data / f"{AS_FILES[1]}.jpg").write_bytes(b"no image")
    done = tagger_cli("data", "stats", data, "--html", "page.html")
    assert done.code in (0, 3), done.err
    with open_browser() as browser:
        page, wrong = browser.new_page(), list[str]()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: wrong.append(request.url))
        page.goto(Path("page.html").absolute().as_uri())
        assert page.evaluate(COUNT, TRACES) == []
        assert "evil" not in page.title()
        assert page.get_by_text(HOSTILE[1]).count()
        assert page.evaluate("() => [...document.images].every((image) => image.naturalWidth > 0)")
        page.screenshot(path="page.png", full_page=True)
        assert [url for url in wrong if not url.startswith(("data:", "file:"))] == []
