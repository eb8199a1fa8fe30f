"""Who can reach the app that runs, and what do they get? One real server on this machine only, one beyond it."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from browsing import Server, Tab, open_browser, wait_for
from door import ask, listening, make_home, open_socket, request, say
from reviewing import make_run

from tagger.review import Store, default_url
from tagger.runs import RunFolder
from tagger.ui.server.upload_limits import MAX_UPLOAD_BYTES


@pytest.fixture(scope="module")
def server(finished: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``tagger review`` as everybody starts it."""
    folder = tmp_path_factory.mktemp("listening")
    server = Server(make_run(finished, demo, folder).path, make_home(folder))
    server.start()
    yield server
    server.stop()


def test_nothing_listens_beyond_this_machine_not_even_the_model(server: Server):
    assert listening(server) == [("127.0.0.1", server.port)]
    status, _ = ask(server.port, "/tagger/heat/0/0")  # starts the process with the model
    assert status == 200
    assert listening(server) == [("127.0.0.1", server.port)]


def test_another_name_for_this_machine_gets_nothing(server: Server):
    for path in ("/", "/tagger/img/0", "/_stcore/health", "/_stcore/host-config", "/static/x"):
        for host in ("evil.example", "127.0.0.1.evil.example", f"evil.example:{server.port}", ""):
            assert ask(server.port, path, Host=host)[0] == 400, (path, host)
    assert open_socket(server.port, Host="evil.example") in (400, 403)
    assert ask(server.port)[0] == 200


def test_other_sites_get_no_socket_and_write_nothing(server: Server):
    assert open_socket(server.port) == 101
    assert open_socket(server.port, Origin=f"http://127.0.0.1:{server.port}") == 101
    for origin in (
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        f"http://localhost:{server.port}",
        "https://",
    ):
        assert open_socket(server.port, Origin=origin) in (400, 403), origin
        for path in ("/tagger/review", "/_stcore/upload_file/x/y", "/", "/media/x"):
            for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
                assert ask(server.port, path, method, b"{}", Origin=origin)[0] == 403, (path, method, origin)
    assert open_socket(server.port, Sec_Fetch_Site="cross-site") in (400, 403)
    assert ask(server.port, "/", Sec_Fetch_Site="cross-site")[0] == 200  # a link may lead to the first page


def test_no_page_may_frame_ours_and_none_is_told_where_one_came_from(server: Server):
    for path in ("/", "/tagger/img/0", "/_stcore/health", "/nowhere"):
        head = ask(server.port, path)[1].lower()
        for line in (b"x-frame-options: deny", b"frame-ancestors 'none'", b"referrer-policy: same-origin",
                     b"cross-origin-opener-policy: same-origin", b"x-content-type-options: nosniff"):  # fmt: skip
            assert line in head, (path, line)


def test_raw_addresses_that_no_browser_would_send(server: Server):
    for path in ("/tagger/img/../../etc/passwd", "/static/../../../../../../etc/passwd", "/static//etc/passwd",
                 "/media/../../etc/passwd", "//server/share", "\\\\server\\share", "/tagger/img/%00", "/..%c0%af..",
                 "/component/../../etc/passwd", "/_stcore/bidi-components/../../../etc/passwd",
                 "http://evil.example/", "*",
                 "/" + "a" * 60_000):  # fmt: skip
        status, answer = ask(server.port, path)
        assert status == 0 or 200 <= status < 500, (path[:80], status)
        assert b"root:" not in answer
    say(server.port, b"\0\xff garbage \r\n\r\n")
    assert ask(server.port)[0] == 200


def test_a_second_app_on_the_same_port_says_so(server: Server, tmp_path: Path):
    words = [sys.executable, "-m", "tagger.cli", "review", "--run", str(server.run), "--no-browser"]
    done = subprocess.run(
        [*words, "--port", str(server.port)], capture_output=True, text=True, timeout=120,
        env=os.environ | {"HOME": str(make_home(tmp_path))},
    )  # fmt: skip
    assert done.returncode == 2
    assert (
        f"127.0.0.1:{server.port} cannot be used (address already in use). Is the app running already?"
        in done.stderr
    )


def test_a_second_app_on_the_same_run_shares_its_decisions(server: Server, tmp_path: Path):
    second = Server(server.run, make_home(tmp_path))
    second.start()
    try:
        assert second.port != server.port
        store = Store.open(default_url(server.run.parent / "data"))
        token = str(store.load_note("api_token"))
        hashes = RunFolder(server.run).load_images()["hash"]
        for at, app in enumerate((server, second, server)):
            one = {
                "client": f"c{at}",
                "seq": 1,
                "hash": hashes[at],
                "label": "zero",
                "verdict": "yes",
                "run": "r",
            }
            body = json.dumps({"client": f"c{at}", "decisions": [one]}).encode()
            status, answer = ask(app.port, "/tagger/review", "POST", body, X_Tagger_Token=token)
            assert status == 200
            assert f'"saved":[["c{at}",1]]'.encode() in answer
        assert [row.client for row in store.decisions()] == ["c0", "c1", "c2"]
        store.close()
    finally:
        second.stop()


def test_bodies_that_trickle_in_keep_nobody_waiting(server: Server):
    lines = []
    try:
        for n in range(60):
            line = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            path = "/tagger/review" if n % 2 else "/_stcore/upload_file/x/y"
            line.sendall(request(server.port, path, "POST" if n % 2 else "PUT", Content_Length="1000") + b"{")
            lines.append(line)
        assert ask(server.port, "/tagger/img/0")[0] == 200
        assert open_socket(server.port) == 101
    finally:
        for line in lines:
            line.close()


def test_a_claim_of_ten_gigabytes_is_refused_before_it_is_sent(server: Server):
    for path, method in (("/_stcore/upload_file/x/y", "PUT"), ("/tagger/review", "POST")):
        for length in (str(10 * 2**30), str(MAX_UPLOAD_BYTES + 1), "9" * 18):
            assert ask(server.port, path, method, Content_Length=length)[0] in (403, 413), (path, length)
        assert ask(server.port, path, method, Content_Length="-5")[0] in (0, 400, 403, 413)


# Beyond this machine


def test_beyond_this_machine_there_is_a_warning_and_a_key_that_stays_secret(
    finished: Path, demo: Path, tmp_path: Path
):
    run = make_run(finished, demo, tmp_path)
    words = [
        sys.executable,
        "-m",
        "tagger.cli",
        "review",
        "--run",
        str(run.path),
        "--no-browser",
        "--port",
        "0",
    ]
    log = tmp_path / "said.txt"
    with log.open("w") as said:
        process = subprocess.Popen(
            [*words, "--host", "0.0.0.0"], stdout=said, stderr=subprocess.STDOUT,
            env=os.environ | {"HOME": str(make_home(tmp_path)), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            found: list[re.Match[str]] = []

            def printed() -> bool:
                found[:] = re.finditer(r"http://\S+:(\d+)/\?token=(\S+)", log.read_text())
                return bool(found)

            wait_for(printed, "the address is printed", seconds=120)
            port, key = int(found[0][1]), found[0][2]
            wait_for(lambda: _answers(port), "the app answers", seconds=120)
            assert "Warning: everybody who can reach 0.0.0.0" in log.read_text()
            for path in (
                "/",
                "/tagger/img/0",
                "/_stcore/health",
                "/?token=",
                f"/?token={key[:-1]}",
                f"/?x={key}",
            ):
                status, answer = ask(port, path)
                assert (status, key.encode() in answer) == (401, False), path
            assert ask(port, "/tagger/review", "POST", b"{}")[0] == 401
            assert open_socket(port) in (0, 403)
            status, answer = ask(port, f"/?token={key}&page=1")
            assert status == 303
            assert b"\r\nlocation: /?page=1\r\n" in answer.lower()
            cookie = next(line for line in answer.split(b"\r\n") if line.lower().startswith(b"set-cookie"))
            assert b"httponly" in cookie.lower()
            assert b"samesite=strict" in cookie.lower()
            assert ask(port, "/tagger/img/0", Cookie=f"tagger_key={key}")[0] == 200
            assert open_socket(port, Cookie=f"tagger_key={key}") == 101
            assert open_socket(port, Cookie=f"tagger_key={key}", Origin="http://evil.example") in (0, 403)
        finally:
            process.terminate()
            process.wait(30)
    assert log.read_text().count(key) == 1  # in the printed address, and in no line about who asked what


def _answers(port: int) -> bool:
    try:
        return ask(port, "/_stcore/health")[0] == 401
    except OSError:
        return False


def test_the_key_is_not_left_in_the_browsers_address(finished: Path, demo: Path, tmp_path: Path):
    with open_browser() as browser:
        run = make_run(finished, demo, tmp_path)
        server = Server(run.path, make_home(tmp_path), "--host", "0.0.0.0")
        server.start()
        try:
            with closing(Store.open(default_url(tmp_path / "data"))) as store:
                key = store.load_note("access_key")
            tab = Tab(browser, f"{server.url}?token={key}")
            assert tab.shown
            assert str(key) not in tab.page.url
            assert str(key) not in str(
                tab.page.evaluate("() => document.cookie + document.referrer + history.length")
            )
            tab.close()
        finally:
            server.stop()
