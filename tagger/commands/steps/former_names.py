"""Former names of a run's labels, by the renamings in its review store."""

from pathlib import Path

from tagger.runs import RunFolder


def former_names(run: RunFolder) -> dict[str, str]:
    """{former name: present name} of labels that were renamed or merged; nothing where no store is found.

    The store is that of the run's data folder. A run knows only the names that its labels have now. Predicting
    needs no data folder: on another machine there is none.
    """
    root = Path(run.load_settings().data.path)
    if not (root / ".tagger" / "review.db").is_file():
        return {}
    from tagger.commands.steps.reviewed_labels import read_decisions  # here: a prediction needs no database
    from tagger.review import default_url, vocabulary_after

    _, operations = read_decisions(default_url(root))
    return vocabulary_after(run.load_labels(), operations).former_names()
