"""Ten sessions at one store, killed at random moments. No test itself: ``test_store_hammer.py`` runs it as a
process.

    python hammer.py URL FOLDER SESSIONS KILLS SECONDS SEED

Each session does what a page does: it holds cells, notes what it decides in an outbox (a file of its own),
sends it until it is told that it was saved, and notes that too. One that is killed begins anew with its
outbox. One more process reads along, as another app would. Ends when so many were killed, so many seconds
have passed, every session has saved something and all outboxes are empty.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tagger.errors import TaggerError
from tagger.review import Decision, Store
from tagger.review.store_engine import open_engine

HELD, CELLS = 3, 100_000


def session(url: str, folder: Path, name: str, seed: int) -> None:
    """Decide until told to stop; what is in the outbox is sent first."""
    sent, saved = outbox(folder, name)
    file = os.open(folder / f"{name}.outbox", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    draw = random.Random(seed)

    def send(batch: list[Decision]) -> None:
        """Until it is saved; a store that is away for a while is asked again, as a page does."""
        while True:
            try:
                ids = store.record(batch)
                break
            except TaggerError:
                time.sleep(0.05)
        note(file, {"saved": dict(zip((one.seq for one in batch), ids, strict=True))})

    with closing(patiently(url)) as store:
        if waiting := [decision(name, seq, *about) for seq, about in sent.items() if seq not in saved]:
            send(waiting)
        seq = max(sent, default=0)
        while not (folder / "stop").exists():
            try:
                held = store.lease(name, ((f"h{n}", "sea") for n in range(CELLS)), count=HELD, seconds=600)
            except TaggerError:
                time.sleep(0.05)
                continue
            batch = []
            for hash, _ in held[: draw.randint(1, HELD)]:
                seq += 1
                undoes = draw.randint(1, seq - 1) if seq > 1 and draw.random() < 0.2 else None
                batch.append((seq, hash, undoes))
            note(file, {"sent": {seq: [hash, undoes] for seq, hash, undoes in batch}})
            send([decision(name, *one) for one in batch])


def decision(name: str, seq: int, hash: str, undoes: int | None) -> Decision:
    """What a session says about a cell; under another label than the one it holds, so that it goes on holding it."""
    verdict = "yes" if undoes is None else "undo"
    return Decision(
        hash=hash, label="sea?", verdict=verdict, before=0, suggested=1, doubt=None, run="r", reviewer=name,
        seconds=None, client=name, seq=seq, undoes_seq=undoes,
    )  # fmt: skip


def outbox(folder: Path, name: str) -> tuple[dict[int, tuple[str, int | None]], dict[int, int]]:
    """What a session has noted: by number, what it sent (hash, the number it undoes), and the ids of what was saved."""
    sent: dict[int, tuple[str, int | None]] = {}
    saved: dict[int, int] = {}
    path = folder / f"{name}.outbox"
    for line in path.read_text("utf-8").split("\n")[:-1] if path.is_file() else ():
        row = json.loads(line)
        sent |= {int(seq): (hash, undoes) for seq, (hash, undoes) in row.get("sent", {}).items()}
        saved |= {int(seq): id for seq, id in row.get("saved", {}).items()}
    return sent, saved


def follow(url: str, folder: Path) -> None:
    """Read along: the ids in the order in which they could be seen, in a file."""
    ids: list[int] = []
    with closing(patiently(url)) as store:
        while not (folder / "over").exists():
            with suppress(TaggerError):
                ids += [row.id for row in store.new_decisions(ids[-1] if ids else 0)[0]]
            time.sleep(0.05)
        ids += [row.id for row in store.new_decisions(ids[-1] if ids else 0)[0]]
    (folder / "followed").write_text(json.dumps(ids), "utf-8")


def patiently(url: str) -> Store:
    """The store, as soon as it can be had."""
    while True:
        try:
            return Store.open(url)
        except TaggerError:
            time.sleep(0.05)


def note(file: int, row: dict[str, Any]) -> None:
    """One line, whole or not at all: what the system was given outlives the process."""
    os.write(file, json.dumps(row).encode() + b"\n")


def fork(work: Any, *arguments: Any) -> int:
    """The number of a process that does it, and that ends when this one has ended, however that was."""
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        try:
            threading.Thread(target=end_with, args=(parent,), daemon=True).start()
            work(*arguments)
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    return pid


def end_with(parent: int) -> None:
    """End this process as soon as the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(2)


def main(url: str, folder: Path, num_sessions: int, num_kills: int, seconds: float, seed: int) -> int:
    """0 when all processes ended well."""
    draw = random.Random(seed)
    open_engine(url).dispose()  # its driver is imported once, not by each
    names = [f"s{n}" for n in range(num_sessions)]
    follower = fork(follow, url, folder)
    pids = {name: fork(session, url, folder, name, draw.random()) for name in names}
    end = time.monotonic() + seconds
    for done in range(num_kills):
        time.sleep(draw.uniform(0, 2 * max(0.05, (end - time.monotonic()) / (num_kills - done))))
        name = draw.choice(names)
        os.kill(pids[name], signal.SIGKILL)
        _, status = os.waitpid(pids[name], 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            return 1  # it had ended by itself
        pids[name] = fork(session, url, folder, name, draw.random())
    time.sleep(max(0.0, end - time.monotonic()))
    patience = time.monotonic() + 120
    while not all(outbox(folder, name)[1] for name in names) and time.monotonic() < patience:
        time.sleep(0.05)
    (folder / "stop").touch()
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids.values()]
    (folder / "over").touch()
    codes.append(os.waitstatus_to_exitcode(os.waitpid(follower, 0)[1]))
    return int(any(codes))


if __name__ == "__main__":
    raise SystemExit(
        main(
            sys.argv[1],
            Path(sys.argv[2]),
            int(sys.argv[3]),
            int(sys.argv[4]),
            float(sys.argv[5]),
            int(sys.argv[6]),
        )
    )
