"""How the app is started: which port, which settings, and what it says where it cannot."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from reviewing import make_run

from tagger.errors import TaggerError
from tagger.ui.app_state import open_app_state
from tagger.ui.server.launch import FIRST_PORT, free_port, is_local, streamlit_options
from tagger.ui.theme import THEME


def test_a_port_that_is_taken_is_said_and_another_is_found():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TaggerError, match=f"127.0.0.1:{port} cannot be used"):
            free_port("127.0.0.1", port)
    assert free_port("127.0.0.1", None) >= FIRST_PORT
    assert free_port("127.0.0.1", 0) > 0


def test_every_pinned_setting_is_one_that_streamlit_knows():
    for name in streamlit_options("127.0.0.1", 8501):
        st.get_option(name)  # RuntimeError for a name that it does not know
    assert all(name.startswith("theme.") for name in THEME)


def test_settings_that_keep_strangers_out_are_pinned():
    tree = streamlit_options("127.0.0.1", 8501)
    assert tree["server.address"] == "127.0.0.1"
    assert tree["server.allowedHosts"] == ["127.0.0.1", "localhost"]
    assert tree["server.corsAllowedOrigins"] == []
    assert (tree["server.enableCORS"], tree["server.enableXsrfProtection"]) == (True, True)
    assert not any(
        tree[name]
        for name in ("browser.gatherUsageStats", "server.enableStaticServing", "runner.magicEnabled")
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_this_machines_own_addresses_are_local(host: str):
    assert is_local(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "photos.example"])
def test_others_are_not(host: str):
    assert not is_local(host)


def test_a_run_without_suspects_names_the_command(
    finished: Path, tagger_cli: Callable[..., Any], tmp_path: Path
):
    run = shutil.copytree(finished, tmp_path / "bare")
    end = tagger_cli("review", "--run", run, "--no-browser")
    assert end.code == 2
    assert f"tagger suspects --run {run}" in end.err


def test_images_that_went_away_are_said_before_anything_opens(finished: Path, demo: Path, tmp_path: Path):
    run = make_run(finished, demo, tmp_path)
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(TaggerError, match=r"data: the data folder of .* is not there\. Mount its disk"):
        open_app_state(run.path)
    assert not (tmp_path / "data").exists()


def test_the_app_loads_no_torch():
    modules = "tagger.ui.server.launch, tagger.ui.pages.review_page, tagger.ui.pages.photos_page"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "False"
