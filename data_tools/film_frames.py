"""Stills of films, with a table that says which film and frame each is: photos of sequences, as ``train`` reads them.

Films are decoded by the ``ffmpeg`` of this machine, called as a program. tagger brings none, as builds with all
decoders are under the GPL.
"""

import csv
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tagger.errors import TaggerError
from tagger.progress import Track, no_track
from tagger.text import counted, shortlist

TABLE = "frames.csv"
RATE = (
    25  # of the stills as ffmpeg counts them; any number does, as each frame that is kept gets the next place
)


def extract_frames(
    clips: Sequence[Path], out: str | Path, *, every: int = 1, track: Track = no_track
) -> dict[str, int]:
    """The number of stills of each clip, by its sequence's name; every ``every``-th frame, from the first on.

    The stills are ``OUT/NAME_000000.jpg`` and so on; ``OUT/frames.csv`` has ``file``, ``sequence`` (the clip's name)
    and ``frame`` (its number in the clip, from 0). TaggerError if ``out`` exists, a clip is not there or has no
    picture, two have one name, or there is no ffmpeg.
    """
    out = Path(out)
    ffmpeg = find_ffmpeg()
    names = _names(clips)
    if out.exists():
        raise TaggerError(f"--out {out}: this exists already and stays as it is. Name a new folder")
    out.mkdir(parents=True)
    rows: list[tuple[str, str, int]] = []
    for clip in track(list(clips), "clips"):
        name = names[clip]
        _run_ffmpeg(ffmpeg, clip, out / f"{name.replace('%', '%%')}_%06d.jpg", every)
        stills = sorted(path.name for path in out.iterdir() if path.name.rpartition("_")[0] == name)
        if not stills:
            raise TaggerError(f"{clip}: ffmpeg finds no picture in it. Nothing is written of it to {out}")
        rows += [(still, name, number * every) for number, still in enumerate(stills)]
    with (out / TABLE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "sequence", "frame"), *rows])
    return {name: sum(row[1] == name for row in rows) for name in names.values()}


def find_ffmpeg() -> str:
    """The path of ffmpeg. TaggerError, with what to do, where there is none."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise TaggerError(
            "There is no ffmpeg on this machine, which decodes films; tagger brings none. Install it (apt install"
            " ffmpeg, brew install ffmpeg, winget install ffmpeg, or ffmpeg.org), then repeat the command"
        )
    return found


def _names(clips: Sequence[Path]) -> dict[Path, str]:
    """The sequence's name of each clip, its file's name without suffix. TaggerError for missing and equal ones."""
    missing = [str(clip) for clip in clips if not clip.is_file()]
    if missing:
        raise TaggerError(f"{counted(len(missing), 'clip')} not there: {shortlist(missing)}. Name files")
    first: dict[str, Path] = {}
    same = [
        f"{first[clip.stem.casefold()]} and {clip}"
        for clip in clips
        if first.setdefault(clip.stem.casefold(), clip) != clip
    ]
    if same:
        raise TaggerError(
            f"Clips of one name would give one sequence: {shortlist(same)}. Rename one, or use another --out for it"
        )
    return {clip: clip.stem for clip in clips}


def _run_ffmpeg(ffmpeg: str, clip: Path, pattern: Path, every: int) -> None:
    """Write every ``every``-th frame to the numbered files of ``pattern``. TaggerError with ffmpeg's own words."""
    kept = f"select=not(mod(n\\,{every})),setpts=N/({RATE}*TB)"
    command = [ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-i", f"file:{clip}", "-an", "-sn"]
    command += ["-vf", kept, "-r", str(RATE), "-q:v", "2", "-start_number", "0", f"file:{pattern}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[-1] if said else f"exit code {done.returncode}"
        raise TaggerError(
            f"{clip}: ffmpeg cannot read it ({reason}). Stills that it wrote before are in {pattern.parent}, without a"
            " table. Remove that folder before you try again"
        )
