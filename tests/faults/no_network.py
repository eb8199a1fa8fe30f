"""Run a command in which nothing gets beyond this machine, and which notes who tried: ``sitecustomize`` for
children.

As a script: bring up ``lo`` in a network namespace of its own, then become the command that follows.
"""

import os
import sys
from pathlib import Path

GUARD = """
import os, socket, sys
connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo
def check(host):
    host = host.decode() if isinstance(host, bytes) else host
    if host is None or host.startswith(("/", "127.", chr(0))) or host in ("localhost", "::1", "", "0.0.0.0"):
        return
    with open(os.environ["TAGGER_ATTEMPTS"], "a") as file:
        print(host, *sys.argv[:3], file=file)
    raise OSError(101, "Network is unreachable")
def of(address):
    return address[0] if isinstance(address, tuple) else address
def guarded(call):
    def guard(self, address):
        check(of(address))
        return call(self, address)
    return guard
def guarded_look_up(host, *args, **kwargs):
    check(host)
    return look_up(host, *args, **kwargs)
socket.socket.connect, socket.socket.connect_ex = guarded(connect), guarded(connect_ex)
socket.getaddrinfo = guarded_look_up
"""


def guarded(folder: Path) -> dict[str, str]:
    """The environment in which every Python process is guarded; attempts are lines of ``folder / "attempts"``."""
    (folder / "guard").mkdir()
    (folder / "guard" / "sitecustomize.py").write_text(GUARD, "utf-8")
    (folder / "attempts").touch()
    kept = {
        name: value
        for name, value in os.environ.items()
        if "proxy" not in name.lower() and "OFFLINE" not in name
    }
    return kept | {
        "PYTHONPATH": str(folder / "guard"), "TAGGER_ATTEMPTS": str(folder / "attempts"),
        "HF_HOME": str(folder / "hub"), "OMP_NUM_THREADS": "1", "NO_COLOR": "1",
    }  # fmt: skip


def bring_up_lo() -> None:
    """The loopback interface of this namespace is up afterwards (SIOCSIFFLAGS of netdevice(7))."""
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sH14x", b"lo", 1))


if __name__ == "__main__":
    bring_up_lo()
    os.execvp(sys.argv[1], sys.argv[1:])
