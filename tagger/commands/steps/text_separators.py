"""Text sidecars are written with commas: a merge into files that another sign separates is refused."""

from pathlib import Path

from tagger.errors import TaggerError
from tagger.setting_sections import DataSettings
from tagger.text import set_options


def check_text_merge(data: DataSettings, format: str, on_existing: str) -> None:
    """Pass unless labels with commas would go into text files that the run read with another separator."""
    told = data.label_separator not in ("auto", ",")
    if format == "txt" and on_existing == "merge" and told and not Path(data.labels or ".").is_file():
        setting = set_options({"label_separator": data.label_separator})
        raise TaggerError(
            f"--format txt --on-existing merge: the run read .txt files with {setting}, and labels are added with"
            " commas, so that neither would be read right. Write a table (--format csv), or into a new folder"
        )
