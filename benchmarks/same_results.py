"""Same-results check: hashes of everything that the commands write, to compare two versions of the code.

    PYTHONPATH=OLD python benchmarks/same_results.py --out before.json
    PYTHONPATH=NEW python benchmarks/same_results.py --out after.json --against before.json

It draws photos, runs the commands as a person would, and hashes what they write: four kinds of training
(heads only, cross-fitted, one network from pretrained weights, from nothing), a training and a retraining
that are killed and resumed, suspects, the review queue, retrainings, predictions and labels in every
format, the tools of ``tagger data``, heat maps, evaluations and exported models. With ``--against`` each
difference is printed and the exit code is 1 if there is one, or if an exported file holds a path of this
machine. ``--work DIR`` keeps the runs, data and stores.

All is on the processor with one thread, without a network. Compare files of one machine and one set of
packages only.

Tables are compared by column, arrays by content, JSON by key, exported models by their outputs on noise and
their metadata, everything else (weights, sidecars, photos, CSV) by bytes. In texts the folder of work is
replaced by WORK.

Not compared, as they hold words for people, times or paths: what is printed, ``log.txt``, ``README.md``,
``config.toml``, the pixels of plots (their names are), columns and keys called reason, note, notes, time,
seconds and retrained_from, the reasons in lists of unreadable photos, and the graph inside an exported
model. ``tagger data check``, ``stats`` and ``quality`` only print.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}  # before torch is loaded; commands inherit them
os.environ.pop("TAGGER_STORE", None)
if (
    "PYTHONPATH" in os.environ
):  # commands are run in a folder of their own, as Python takes modules from where it is
    os.environ["PYTHONPATH"] = os.pathsep.join(
        map(os.path.abspath, os.environ["PYTHONPATH"].split(os.pathsep))
    )

from results_cases import Work, cross_fitted, data_tools, from_scratch, heads_only, predictions, single
from results_digest import Digests


def make_all(folder: Path) -> Digests:
    """The hashes of everything, made in a folder; two processes work at a time."""
    work = Work(folder)
    (folder / "made").mkdir(parents=True)
    work.prepare()
    chains: list[list[Callable[[Work], None]]] = [
        [data_tools, heads_only, single],
        [cross_fitted],
        [from_scratch],
    ]
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(lambda steps: [step(work) for step in steps], steps) for steps in chains]:
            done.result()
    predictions(work)
    return work.digests


def main() -> int:
    """Make the hashes, write them, and compare them with those of another version."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="the file of hashes to write")
    parser.add_argument("--against", type=Path, help="a file of hashes to compare with")
    parser.add_argument("--work", type=Path, help="a new folder that keeps all that is made")
    args = parser.parse_args()
    began = time.monotonic()
    where = getattr(find_spec("tagger"), "submodule_search_locations", None)
    print(f"{where} with torch {version('torch')}, timm {version('timm')}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        made = make_all(args.work.resolve() if args.work else Path(folder).resolve() / "work")
    if args.out:
        args.out.write_text(
            json.dumps({"hashes": made.found, "local_paths": made.local_paths}, indent=0), "utf-8"
        )
    print(f"{len(made.found):,} hashes in {time.monotonic() - began:.0f} s")
    for line in (
        wrong := made.complaints + [f"holds a path of this machine: {line}" for line in made.local_paths]
    ):
        print(line)
    if not args.against:
        return int(bool(made.complaints))
    differing = list(made.differences(json.loads(args.against.read_text("utf-8"))["hashes"]))
    print("\n".join(differing) or "Nothing differs.")
    return int(bool(differing or wrong))


if __name__ == "__main__":
    sys.exit(main())
