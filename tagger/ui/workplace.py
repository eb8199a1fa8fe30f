"""What does the app work on? One run, one store of decisions, one desk: opened once for a process.

The routes (``api``) and the pages (``main``) of one process share it, and Streamlit runs the pages' script anew for
each change, so there is one place that holds it: ``current``. It is the only state of the app besides the store.
"""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.errors import TaggerError
from tagger.review import Desk, Store, default_url
from tagger.runs import RunFolder, find_run
from tagger.ui.groups import Group, ordered_groups
from tagger.ui.pictures import Pictures

TOKEN_NOTE = "api_token"
_OPENING = threading.Lock()
_OPEN: list["Workplace"] = []


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """The run under review, where decisions go, who hands out cards, and how photos get on screen."""

    run: RunFolder
    store: Store
    desk: Desk
    pictures: Pictures
    token: str  # what our own pages send along; kept in the store, so that an open page outlives a restart
    reviewer: str  # who reviews, unless the page says another
    hashes: NDArray[np.object_]  # of the images, by row
    run_labels: tuple[str, ...]  # in the order of the run's columns
    groups: tuple[Group, ...]  # labels and directions, in the order in which the grid takes them
    signals: frozenset[str]  # that are the main one of some suspect
    served: bool  # whether our routes are there (``tagger review``), or only Streamlit (``streamlit run``)


def open_workplace(
    run: str | Path | None = None, *, store: str | None = None, reviewer: str | None = None, served: bool = True
) -> Workplace:
    """The workplace of a run (default: the newest). TaggerError where there is nothing to review, and what to do."""
    folder = find_run(run)
    names = folder.load_labels()
    with ThreadPoolExecutor() as pool:  # a million images: 2.6 s one after the other
        suspects_read, images_read = pool.submit(folder.load_suspects), pool.submit(folder.load_images)
        cells_read = pool.submit(folder.load_cells)
        neighbours_read, oof_read = (
            pool.submit(_if_there, folder.load_neighbours),
            pool.submit(_if_there, folder.load_oof),
        )
    suspects, images, labels_NK = suspects_read.result(), images_read.result(), cells_read.result()
    neighbours, oof = neighbours_read.result(), oof_read.result()
    root = Path(folder.load_settings().data.path)
    if not root.is_dir():
        raise TaggerError(f"{root}: the images of this run are not there. Bring the folder back, or train anew")
    opened = Store.open(store or default_url(root))
    desk = Desk(
        suspects,
        images,
        labels_NK,
        names,
        neighbours,
        opened,
        run=folder.path.name,
        probs_NK=None if oof is None else oof[0],
        reconsider=_reconsidering(folder, store),
    )
    return Workplace(
        run=folder,
        store=opened,
        desk=desk,
        pictures=Pictures(root, root / ".tagger" / "previews"),
        token=_token(opened),
        reviewer=reviewer or default_reviewer(),
        hashes=images["hash"].to_numpy(object),
        run_labels=names,
        groups=ordered_groups(suspects),
        signals=frozenset(suspects["main_signal"].dropna()),
        served=served,
    )


def use(workplace: Workplace) -> None:
    """Make this the process's workplace."""
    _OPEN[:] = [workplace]


def leave() -> None:
    """Forget the process's workplace; its store stays open."""
    _OPEN.clear()


def current(run: str | Path | None = None, *, store: str | None = None, reviewer: str | None = None) -> Workplace:
    """The process's workplace; opened now, without routes of our own, if nobody has."""
    with _OPENING:
        if not _OPEN:
            _OPEN.append(open_workplace(run, store=store, reviewer=reviewer, served=False))
        return _OPEN[0]


def default_reviewer() -> str:
    """The name of the person whose account this is."""
    try:
        return getuser()
    except (OSError, KeyError):
        return "reviewer"


def _if_there(load: Callable[[], Any]) -> Any:
    """What is loaded, or None: an older run has not every file."""
    try:
        return load()
    except TaggerError:
        return None


def _reconsidering(folder: RunFolder, store: str | None) -> Callable[[Any, Any], Any]:
    """Judges the suspects anew by people's verdicts; what it needs (scikit-learn among it) is loaded when it is due."""
    known: list[Callable[[Any, Any], Any]] = []

    def judge_anew(table: Any, verdicts: Any) -> Any:
        if not known:
            from tagger.commands.suspects import reconsidering

            known.append(reconsidering(folder, store))
        return known[0](table, verdicts)

    return judge_anew


def _token(store: Store) -> str:
    known = store.load_note(TOKEN_NOTE)
    if not known:
        known = secrets.token_urlsafe(24)
        store.save_note(TOKEN_NOTE, known)
    return known
