"""docs/settings.md says what the code says."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_settings_page_is_what_its_script_prints():
    page = runpy.run_path(str(DOCS / "settings.py"))["page"]()
    assert (DOCS / "settings.md").read_text("utf-8") == page, "run: python docs/settings.py > docs/settings.md"


def test_every_setting_has_a_line_of_documentation():
    from pydantic import BaseModel

    from tagger.config import Settings

    def undocumented(model, path):
        for name, field in model.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from undocumented(kind, f"{path}{name}.")
            elif not field.description:
                yield path + name

    assert list(undocumented(Settings, "")) == []
