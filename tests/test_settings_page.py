"""docs/settings.md says what the code says."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_settings_page_is_what_its_script_prints():
    page = runpy.run_path(str(DOCS / "settings.py"))["page"]()
    assert (DOCS / "settings.md").read_text("utf-8") == page, (
        "run: python docs/settings.py > docs/settings.md"
    )
