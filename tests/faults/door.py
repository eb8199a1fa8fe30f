"""Raw words to the app's port, as no browser would say them. No test itself."""

import base64
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from browsing import Server

MOST_READ = 1 << 20


def say(port: int, request: bytes, *, host: str = "127.0.0.1", seconds: float = 20.0) -> bytes:
    """The answer to raw bytes, or its beginning; empty if the other side hangs up. A socket's is its head alone."""
    answer = b""
    with (
        socket.create_connection((host, port), timeout=seconds) as line,
        suppress(TimeoutError, ConnectionError),
    ):
        line.sendall(request)
        while (
            len(answer) < MOST_READ and not answer.startswith(b"HTTP/1.1 101") and (part := line.recv(65536))
        ):
            answer += part
    return answer


def request(port: int, path: str = "/", method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; ``Host`` is this machine's unless it is given."""
    named = {"Host": f"127.0.0.1:{port}", "Connection": "close"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    if body:
        named.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def ask(
    port: int, path: str = "/", method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    """The status and the beginning of the answer to such a request."""
    answer = say(port, request(port, path, method, body, **headers))
    return (int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0), answer


def open_socket(port: int, **headers: str) -> int:
    """The status of a WebSocket handshake at Streamlit's address: 101 if it is opened."""
    key = base64.b64encode(os.urandom(16)).decode()
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Key": key,
        "Sec_WebSocket_Version": "13",
    }
    return ask(port, "/_stcore/stream", **(asked | headers))[0]


def listening(server: Server) -> list[tuple[str, int]]:
    """(address, port) of everything that the app and the processes it started listen on."""
    assert server.process is not None
    whole = psutil.Process(server.process.pid)
    found: list[Any] = []
    for process in [whole, *whole.children(recursive=True)]:
        found += [
            c.laddr for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN or not c.raddr
        ]
    return sorted({(address.ip, address.port) for address in found})


def make_home(folder: Path) -> Path:
    """An empty home folder."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return home
