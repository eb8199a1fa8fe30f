"""What tagger is built from: versions bounded and locked, licences known and compatible."""

import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(ROOT / "docs" / "dependencies.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def needs() -> Iterator[Requirement]:
    """Every requirement of pyproject.toml, of all extras too."""
    yield from map(Requirement, PROJECT["dependencies"])
    for extra in PROJECT["optional-dependencies"].values():
        yield from map(Requirement, extra)


def locked() -> dict[str, str]:
    """name -> version of ``requirements.lock``."""
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("need", list(needs()), ids=str)
def test_every_requirement_has_a_lowest_and_a_first_too_high_version(need: Requirement):
    signs = {part.operator for part in need.specifier}
    assert ">=" in signs, need
    assert signs & {"<", "=="}, need


def test_the_lock_holds_a_version_that_suits_of_all_that_was_tested():
    versions = locked()
    for extra in ("", "test", "onnx"):
        texts = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
        for need in map(Requirement, texts):
            version = versions[canonicalize_name(need.name)]
            assert need.specifier.contains(version, prereleases=True), f"{need} against {version}"


def test_what_is_installed_is_the_tested_set():
    installed = {
        name: package.version.split("+")[0] for name, package in SCRIPT["closure"](SCRIPT["EXTRAS"]).items()
    }
    versions = locked()
    others = [f"{name} {installed[name]}" for name in installed if installed[name] != versions.get(name)]
    if others:
        pytest.skip(f"installed here are other versions than the locked ones: {', '.join(others)}")
    assert SCRIPT["lock"]() == (ROOT / "requirements.lock").read_text("utf-8")


def test_every_licence_is_known_and_goes_with_apache():
    wrong = [
        f"{name}: {licence}"
        for name, package in SCRIPT["closure"](SCRIPT["EXTRAS"]).items()
        if not SCRIPT["goes_with_apache"](licence := SCRIPT["licence_of"](name, package))
    ]
    assert wrong == [], "find out what these are, then drop them or add them to docs/dependencies.py"


@pytest.mark.parametrize(
    "licence",
    ["GPL-3.0-only", "AGPL-3.0-or-later", "MIT AND GPL-2.0-only", "not stated", "Proprietary", "SSPL-1.0"],
)
def test_the_check_sees_a_licence_that_does_not(licence: str):
    assert not SCRIPT["goes_with_apache"](licence)


def test_the_page_lists_every_direct_requirement_and_what_is_locked():
    rows = set(
        re.findall(r"^\| ([\w.-]+) \|", (ROOT / "docs" / "licences.md").read_text("utf-8"), re.MULTILINE)
    )
    assert {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]} <= rows
    assert set(locked()) <= rows
