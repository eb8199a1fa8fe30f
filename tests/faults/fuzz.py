"""Coverage-guided fuzzing (atheris, which is libFuzzer for Python) of every parser: a table or a
``TaggerError``.

    python tests/faults/fuzz.py SECONDS FOLDER [TARGET ...]

No test itself: ``test_fuzz.py`` runs it, so that instrumented code stays out of the tests' process. Each
target, all of them by default, is fuzzed for so many seconds in a process of its own, as many at once as
there are cores; it starts from a file that is read. For each a line of JSON is printed: how many inputs
were tried, how many branches they reached, and the end of the traceback if one of them broke the parser.
That input is then FOLDER/TARGET.crash-... .
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "data"), str(HERE.parents[1])]

with atheris.instrument_imports(include=["tagger"]):
    from forms import forms, make

    from tagger.config import dump_settings, read_settings
    from tagger.data import parse_labels_toml, read_dataset
    from tagger.errors import TaggerError
    from tagger.presets import load_read_options, load_settings
    from tagger.scoring.threshold_objective import parse_objective

    def read_forms(folder: Path) -> None:
        """Read each form once: its module is then loaded, and instrumented."""
        for at, form in enumerate(FORMS.values()):
            read_dataset(folder / str(at), make(folder / str(at), form))

    FORMS = forms()
    with TemporaryDirectory() as some:
        read_forms(Path(some))

Parse = Callable[[bytes], object]
LONGEST, SLOWEST, MEMORY = 4096, 5, 3000  # bytes of an input, seconds and megabytes for it
TEXTS: dict[str, tuple[Callable[[str], object], str]] = {
    "labels.toml": (
        lambda text: parse_labels_toml(text, ["cat", "dog"]),
        '[groups.pet]\nkind = "multi"\nlabels = ["cat"]\n[[rules]]\nif = "cat"\nthen = "dog"\n',
    ),
    "a setting": (lambda text: load_settings("quick", [text]), "train.lr=0.1"),
    "a reading option": (lambda text: load_read_options([text]), 'data.label_separator="|"'),
    "an aim": (parse_objective, "precision>=0.9"),
}
SETTINGS = "config.toml"
PLANTED = "a planted fault"  # that has to be found; no target unless asked for
TARGETS = (*FORMS, *TEXTS, SETTINGS)


def planted(data: bytes) -> None:
    """Breaks on what nobody would send by chance."""
    if data[:1] == b"t" and data[1:2] == b"a" and data[2:3] == b"g":
        raise KeyError("planted")


def parser_of(target: str, folder: Path) -> tuple[Parse, bytes]:
    """What parses an input of this target, and an input to start from."""
    if target == PLANTED:
        return atheris.instrument_func(planted), b"x"
    if target in TEXTS:
        parse, text = TEXTS[target]
        return (lambda data: parse(data.decode("utf-8", "replace"))), text.encode()
    if target == SETTINGS:
        file, start = folder / SETTINGS, dump_settings(load_settings("quick")).encode()
        return (lambda data: (file.write_bytes(data), read_settings(file))), start
    form, root = FORMS[target], folder / "data"
    labels = make(root, form)
    start = (root / form.main).read_bytes()

    def read(data: bytes) -> object:
        (root / form.main).write_bytes(data)
        return read_dataset(root, labels)

    return read, start


def fuzz(target: str, seconds: int, folder: Path) -> None:
    """Fuzz one target; ends this process."""
    scratch = folder / re.sub(r"\W+", "-", target)
    (corpus := scratch / "corpus").mkdir(parents=True)
    parse, start = parser_of(target, scratch)
    (corpus / "start").write_bytes(start)
    parse(start)

    def once(data: bytes) -> None:
        try:
            parse(data)
        except TaggerError as error:
            if "\n" in str(error).strip() and target in FORMS:  # a setting's own words may have several
                raise ValueError(f"an error of several lines: {error}") from error
            str(error).encode()

    chosen = {
        "max_total_time": seconds, "max_len": LONGEST, "timeout": SLOWEST, "rss_limit_mb": MEMORY,
        "print_final_stats": 1, "artifact_prefix": f"{scratch}.",
    }  # fmt: skip
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in chosen.items()), str(corpus)], once)
    atheris.Fuzz()


def result_of(target: str, process: "subprocess.Popen[str]") -> dict[str, object]:
    """The line for one target, once it has ended."""
    said = process.communicate()[0]
    runs = re.search(r"stat::number_of_executed_units: (\d+)", said) or re.search(r"Done (\d+) runs", said)
    reached = re.findall(r"cov: (\d+)", said)
    wrong = "" if process.returncode == 0 else said[said.find("=== Uncaught Python exception") :][-3000:]
    return {
        "target": target,
        "runs": int(runs[1]) if runs else 0,
        "coverage": int((reached or [0])[-1]),
        "error": wrong,
    }


def main(seconds: int, folder: Path, targets: list[str]) -> None:
    """Fuzz the targets, as many at once as there are cores."""
    waiting, running = list(targets or TARGETS), dict[str, subprocess.Popen[str]]()
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            target = waiting.pop(0)
            running[target] = subprocess.Popen(
                [sys.executable, __file__, "--one", str(seconds), str(folder), target],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            )  # fmt: skip
        target = next(iter(running))
        print(json.dumps(result_of(target, running.pop(target))), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        fuzz(sys.argv[4], int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
