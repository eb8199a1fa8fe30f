"""The dependencies of tagger: ``requirements.lock`` (the tested set) and ``docs/licences.md``, from what is
installed here.

    python docs/dependencies.py lock > requirements.lock
    python docs/dependencies.py licences > docs/licences.md

Read from the packages' own metadata, from tagger and its extras on to whatever those bring.
"""

import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = ("test", "onnx", "postgresql", "heif", "raw")
PERMISSIVE = {
    *(
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "HPND",
        "ISC",
        "MIT",
        "MIT-CMU",
    ),
    *("PSF-2.0", "Unlicense", "Zlib"),
}
BY_FILE = {
    "MPL-2.0",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
}  # ask for changes to their own files, or a library, only
PROPRIETARY = "LicenseRef-NVIDIA-Proprietary"
SAME = {  # as packages write it in older metadata
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license version 2.0, january 2004": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd": "BSD-3-Clause",
    "bsd 3": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "freebsd": "BSD-2-Clause",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "nvidia proprietary software": PROPRIETARY,
    "python software foundation license": "PSF-2.0",
}
SAYS_NOTHING = {  # no licence in their metadata
    "atheris": "Apache-2.0",  # its LICENSE file
    "axe-playwright-python": "MIT AND MPL-2.0",  # its LICENSE file; axe-core, which it brings
    "cuda-toolkit": PROPRIETARY,  # holds nothing but NVIDIA's packages
}
NOTE = """\
# Licences

tagger is under Apache-2.0. These are the licences of the packages that it depends on, as their own metadata states
them. Made by `python docs/dependencies.py licences > docs/licences.md`; a test fails for a licence that is not known to
be compatible with Apache-2.0.

* Most are permissive (Apache, BSD, ISC, MIT, PSF).
* MPL-2.0 and LGPL ask those who change these packages' own files to publish the changes. tagger uses them as they are.
  psycopg and pi-heif, under LGPL-3.0, come with the extras `postgresql` and `heif`, and with the tests, only.
* **NVIDIA's CUDA libraries are proprietary.** PyTorch from PyPI brings them on Linux. They may be used and, under
  NVIDIA's terms, shipped, but they are not free software. tagger runs without them: install torch and torchvision from
  PyTorch's CPU index first.
"""


def closure(extras: tuple[str, ...] = ()) -> dict[str, Distribution]:
    """Every installed package that tagger with these extras needs, by normalised name, tagger itself left out."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    wanted = PROJECT["dependencies"] + [
        text for extra in extras for text in PROJECT["optional-dependencies"][extra]
    ]
    waiting = [both for text in wanted for both in _parts(Requirement(text))]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # an extra that is not installed here
            continue
        needs = map(Requirement, found[name].requires or [])
        waiting += [
            both
            for need in needs
            if need.marker is None or need.marker.evaluate({"extra": extra})
            for both in _parts(need)
        ]
    return dict(sorted(found.items()))


def _parts(need: Requirement) -> list[tuple[str, str]]:
    """(name, extra) of all that a requirement asks for."""
    return [(canonicalize_name(need.name), extra) for extra in ("", *need.extras)]


def licence_of(name: str, package: Distribution) -> str:
    """The licence as an SPDX expression where its metadata can be read as one, else what the metadata says."""
    meta = package.metadata
    if stated := meta.get("License-Expression"):
        return str(stated)
    named = [
        line.split(" :: ")[-1] for line in meta.get_all("Classifier") or [] if line.startswith("License ::")
    ]
    words = " ".join((meta.get("License") or "").split())
    for word in (*named, words, words.split(" http")[0]):
        if word.lower() in SAME:
            return SAME[word.lower()]
    if re.fullmatch(r"[\w.-]+( (AND|OR) [\w.-]+)*", words):
        return words
    return SAYS_NOTHING.get(name, words[:60] or "not stated")


def goes_with_apache(licence: str) -> bool:
    """Whether an SPDX expression is one that may stand beside Apache-2.0; of several with OR, one has to.

    >>> goes_with_apache("MIT AND PSF-2.0"), goes_with_apache("GPL-3.0-only OR MIT"), goes_with_apache("GPL-3.0-only")
    (True, True, False)
    >>> goes_with_apache("Apache-2.0 WITH LLVM-exception"), goes_with_apache("not stated")
    (True, False)
    """
    known = PERMISSIVE | BY_FILE | {PROPRIETARY}
    plain = re.sub(r" WITH [\w.-]+", "", licence).replace("(", "").replace(")", "")
    return any(all(part in known for part in choice.split(" AND ")) for choice in plain.split(" OR "))


def lock() -> str:
    """``requirements.lock``: the exact version of everything that the tests ran with."""
    lines = [
        "# The exact versions that the tests ran with, for: pip install -c requirements.lock retagger",
        "# Made by: python docs/dependencies.py lock > requirements.lock",
        *(f"{name}=={package.version.split('+')[0]}" for name, package in closure(EXTRAS).items()),
    ]
    return "\n".join(lines) + "\n"


def licences() -> str:
    """``docs/licences.md``."""
    alone, everything = closure(), closure(EXTRAS)
    rows = ["| package | licence | needed by |", "|---|---|---|"]
    for name, package in everything.items():
        rows.append(
            f"| {name} | {licence_of(name, package)} | {'tagger' if name in alone else 'tests and extras'} |"
        )
    return f"{NOTE}\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    print({"lock": lock, "licences": licences}[sys.argv[1]](), end="")
