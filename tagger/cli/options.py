"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path | None, typer.Option("--data", help="Folder of photos with labels.")]
Run = Annotated[
    Path | None,
    typer.Option(
        "--run",
        help="Run folder or its name. Default: the chosen one in ./runs, else the newest.",
    ),
]
NewRun = Annotated[Path | None, typer.Option(help="Run folder to write. Default: a new one in ./runs.")]
Labels = Annotated[
    Path | None, typer.Option(help="Label file or folder. Default: found in the photo folder.")
]
STORE = "Database of decisions. Default: DATA/.tagger/review.db."
Moved = Annotated[Path | None, typer.Option("--data", help="The data folder of the run, if it was moved.")]
AcceptEdited = Annotated[
    bool, typer.Option("--accept-edited", help="Take files that look like edited versions for the photos.")
]
Store = Annotated[str | None, typer.Option("--store", envvar="TAGGER_STORE", help=STORE)]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted command.")]
Landmarks = Annotated[
    Path | None, typer.Option(help="Landmarks of these photos, for a run that aligns by them.")
]
Thresholds = Annotated[str | None, typer.Option(help="A threshold set saved in the review app.")]
OnExisting = Annotated[
    str,
    typer.Option(
        help="Existing sidecars: skip, merge or overwrite. An existing table: skip is an error, or overwrite."
    ),
]
OnDisagreement = Annotated[
    str | None,
    typer.Option(
        help="Where people differ: skip (the default: the label stays as given), majority, newest, or"
        " reliability (votes weighed by person and label)."
    ),
]
JsonReport = Annotated[Path | None, typer.Option(help="Also write the full result to this JSON file.")]
