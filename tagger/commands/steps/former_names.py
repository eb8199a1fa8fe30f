"""Former names of a run's labels, by the renamings in its review store."""

from tagger.runs import RunFolder, data_folder


def former_names(run: RunFolder) -> dict[str, str]:
    """{former name: present name} of labels that were renamed or merged; nothing where no store is found.

    The store is that of the run's data folder. A run knows only the names that its labels have now.
    """
    if not (data_folder(run) / ".tagger" / "review.db").is_file():
        return {}
    from tagger.commands.steps.reviewed_labels import read_decisions  # here: a prediction needs no database
    from tagger.review import default_url, vocabulary_after

    _, operations = read_decisions(default_url(data_folder(run)))
    return vocabulary_after(run.load_labels(), operations).former_names()
