"""Disks of a test's own: small ones, and ones that can only be read. No test itself."""

import subprocess
from pathlib import Path

import pytest


def mount(folder: Path, *options: str) -> None:
    """``mount OPTIONS folder``; the test is skipped where that cannot be done (not root, or no such command)."""
    try:
        done = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False, timeout=10)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip("nothing can be mounted here: only root may")


def unmount(folder: Path) -> None:
    """Also where a file in it is still open."""
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)
