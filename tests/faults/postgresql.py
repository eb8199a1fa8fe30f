"""A PostgreSQL server for tests: that of ``$TAGGER_TEST_POSTGRESQL`` (a URL), or one started from what is installed."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url


class Cluster:
    """A server of our own, in a folder of its own, on a free port of this machine; it can be crashed."""

    def __init__(self, folder: Path):
        self.folder, self.port = folder, _free_port()
        self.bin = _binaries()
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self._as_user:
            shutil.chown(folder, "postgres")
        self._run("initdb", "--auth=trust", "--username=tagger", "--encoding=UTF8", "-D", f"{folder}/data")
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"postgresql://tagger@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and return when it answers."""
        said = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        self._run(
            "pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", "-o", said, "start"
        )

    def crash(self) -> None:
        """End it without letting it tidy up, as if the power had gone."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        # the server inherits its output, so a pipe would never end
        with tempfile.TemporaryFile() as said:
            words = [*self._as_user, str(self.bin / program), *arguments]
            done = subprocess.run(words, stdout=said, stderr=subprocess.STDOUT, cwd=self.folder, timeout=120)
            said.seek(0)
            assert done.returncode == 0, said.read().decode()


@contextmanager
def own_cluster() -> Iterator[Cluster]:
    """A server of our own; the test is skipped, with the reason, where there can be none."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'retagger[postgresql]')")
    if not _binaries().is_dir():
        pytest.skip("no PostgreSQL on this machine (apt-get install postgresql)")
    if os.getuid() == 0 and not shutil.which("runuser"):
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    folder = Path(tempfile.mkdtemp(prefix="tagger-postgresql-"))
    cluster = None
    try:
        cluster = Cluster(folder)
        yield cluster
    finally:
        if cluster is not None:
            cluster.crash()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database() -> Iterator[str]:
    """The URL of an empty schema in a PostgreSQL database; it is dropped afterwards."""
    if given := os.environ.get("TAGGER_TEST_POSTGRESQL"):
        pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'retagger[postgresql]')")
        with _schema(given) as url:
            yield url
    else:
        with own_cluster() as cluster:
            yield cluster.url


@contextmanager
def _schema(given: str) -> Iterator[str]:
    parsed: Any = make_url(given).set(drivername="postgresql+psycopg")
    engine, name = create_engine(parsed), f"tagger_test_{token_hex(6)}"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    try:
        options = parsed.update_query_dict({"options": f"-csearch_path={name}"})
        yield options.render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
        engine.dispose()


def _binaries() -> Path:
    found = shutil.which("initdb")
    places = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0])
    )
    return Path(found).resolve().parent if found else places[-1] if places else Path("/nowhere")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
