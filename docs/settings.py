"""Prints docs/settings.md: every setting with its default and its line of documentation, read off its sections.

python docs/settings.py > docs/settings.md
"""

from pydantic import BaseModel

from tagger.batches.samplers import samplers
from tagger.config import Settings
from tagger.heads import heads
from tagger.losses import losses
from tagger.regularisers import regularisers
from tagger.renamed_settings import RENAMED
from tagger.sections import Section

PARTS = {"head": heads, "loss": losses, "sampler": samplers}


def page() -> str:
    """The page as Markdown."""
    parts = [
        "# Settings",
        "Set any of them with `--set section.key=value`; a run's `config.toml` holds all that were in force. Made by"
        " `python docs/settings.py > docs/settings.md`.",
        "## At the top",
        _table(
            Settings,
            lambda field: not _is_section(field) and field is not Settings.model_fields["regularisers"],
        ),
    ]
    for name, field in Settings.model_fields.items():
        if name == "regularisers":
            parts += [f"## {name}", field.description, _options(regularisers)]
        if not _is_section(field):
            continue
        parts += [f"## {name}", _table(field.annotation, lambda field: True)]
        if name in PARTS:
            parts += ["Options of each:", _options(PARTS[name])]
    parts += [
        "## Former names",
        "They are still read, from `--set` and from a run's `config.toml`.",
        _renamed(),
    ]
    return "\n\n".join(parts) + "\n"


def _is_section(field) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel | Section)


def _table(model, wanted) -> str:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        if wanted(field):
            default = "" if field.is_required() else f"`{field.default!r}`"
            rows.append(f"| `{name}` | {default} | {' '.join((field.description or '').split())} |")
    return "\n".join(rows)


def _renamed() -> str:
    return "\n".join(
        ["| formerly | now |", "|---|---|", *(f"| `{old}` | `{new}` |" for old, new in RENAMED.items())]
    )


def _options(registry) -> str:
    rows = [f"| {registry.kind} | options and defaults | what it is |", "|---|---|---|"]
    for name in registry.names():
        options = ", ".join(f"`{key}={value!r}`" for key, value in registry.options(name).items())
        what = (registry.find(name).__doc__ or "").strip().split("\n\n")[0]
        rows.append(f"| `{name}` | {options or 'none'} | {' '.join(what.split())} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(page(), end="")
