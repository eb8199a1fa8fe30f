"""State of the app: the open run, its store, review session and previews, once per process.

One run, one store of decisions, one desk: opened once for a process.

The routes (``api``) and the pages (``main``) of one process share it, and Streamlit runs the pages' script
anew for each change, so there is one place that holds it: ``current_state``. It is the only state of the
app besides the store.
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
from tagger.review import ReviewSession, Store, default_url
from tagger.runs import RunFolder, find_run
from tagger.ui.grid_groups import GridGroup, ordered_groups
from tagger.ui.photo_previews import PhotoPreviews

TOKEN_NOTE = "api_token"
_LOCK = threading.Lock()
_CURRENT: list["AppState"] = []


@dataclass(frozen=True, kw_only=True)
class AppState:
    """The run under review, where decisions go, who hands out cards, and how photos get on screen."""

    run: RunFolder
    store: Store
    session: ReviewSession
    previews: PhotoPreviews
    token: str  # what our own pages send along; kept in the store, so that an open page outlives a restart
    reviewer: str  # who reviews, unless the page says another
    hashes: NDArray[np.object_]  # of the images, by row
    run_labels: tuple[str, ...]  # in the order of the run's columns
    groups: tuple[GridGroup, ...]  # labels and directions, in the order in which the grid takes them
    signals: frozenset[str]  # that are the main one of some suspect
    served: bool  # whether our routes are there (``tagger review``), or only Streamlit (``streamlit run``)


def open_app_state(
    run: str | Path | None = None,
    *,
    store: str | None = None,
    reviewer: str | None = None,
    served: bool = True,
) -> AppState:
    """The workplace of a run (default: the newest). TaggerError where there is nothing to review, and what to do."""
    folder = find_run(run)
    names = folder.load_labels()
    with ThreadPoolExecutor() as pool:  # a million images: 2.6 s one after the other
        suspects_read = pool.submit(folder.load_suspects)
        images_read = pool.submit(folder.load_images)
        cells_read = pool.submit(folder.load_cells)
        neighbours_read = pool.submit(_load_if_present, folder.load_neighbours)
        oof_read = pool.submit(_load_if_present, folder.load_oof)
    suspects = suspects_read.result()
    images = images_read.result()
    labels_NK = cells_read.result()
    neighbours = neighbours_read.result()
    oof = oof_read.result()
    root = Path(folder.load_settings().data.path)
    if not root.is_dir():
        raise TaggerError(
            f"{root}: the images of this run are not there. Bring the folder back, or train anew"
        )
    opened = Store.open(store or default_url(root))
    session = ReviewSession(
        suspects,
        images,
        labels_NK,
        names,
        neighbours,
        opened,
        run=folder.path.name,
        probs_NK=None if oof is None else oof[0],
        rescore=_lazy_rescore(folder, store),
    )
    return AppState(
        run=folder,
        store=opened,
        session=session,
        previews=PhotoPreviews(root, root / ".tagger" / "previews"),
        token=_token(opened),
        reviewer=reviewer or default_reviewer(),
        hashes=images["hash"].to_numpy(object),
        run_labels=names,
        groups=ordered_groups(suspects),
        signals=frozenset(suspects["main_signal"].dropna()),
        served=served,
    )


def set_current_state(workplace: AppState) -> None:
    """Make this the process's workplace."""
    _CURRENT[:] = [workplace]


def clear_current_state() -> None:
    """Forget the process's workplace; its store stays open."""
    _CURRENT.clear()


def current_state(
    run: str | Path | None = None, *, store: str | None = None, reviewer: str | None = None
) -> AppState:
    """The process's workplace; opened now, without routes of our own, if nobody has."""
    with _LOCK:
        if not _CURRENT:
            _CURRENT.append(open_app_state(run, store=store, reviewer=reviewer, served=False))
        return _CURRENT[0]


def default_reviewer() -> str:
    """The name of the person whose account this is."""
    try:
        return getuser()
    except (OSError, KeyError):
        return "reviewer"


def _load_if_present(load: Callable[[], Any]) -> Any:
    """What is loaded, or None: an older run has not every file."""
    try:
        return load()
    except TaggerError:
        return None


def _lazy_rescore(folder: RunFolder, store: str | None) -> Callable[[Any, Any], Any]:
    """Judges the suspects anew by people's verdicts; what it needs (scikit-learn among it) is loaded when it is due."""
    known: list[Callable[[Any, Any], Any]] = []

    def rescore(table: Any, verdicts: Any) -> Any:
        if not known:
            from tagger.commands.suspects import make_rescorer

            known.append(make_rescorer(folder, store))
        return known[0](table, verdicts)

    return rescore


def _token(store: Store) -> str:
    known = store.load_note(TOKEN_NOTE)
    if not known:
        known = secrets.token_urlsafe(24)
        store.save_note(TOKEN_NOTE, known)
    return known
