"""State of the app: the open run, its store, review session and previews, once per process.

Routes (``server.routes``) and pages (``main``) of one process share it. Streamlit runs the pages' script anew for
each change, so ``current_state`` holds it. It is the only state of the app besides the store.
"""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import Cells
from tagger.errors import TaggerError
from tagger.review import DoubtModel, ReviewedRun, ReviewSession, Store, default_url, know_photos
from tagger.review.store_address import check_new_store, check_store_folder
from tagger.runs import LocatedRun, MovedRun, RunFolder, data_folder, find_run, locate_run, with_data
from tagger.runs.lineage import same_place
from tagger.ui.grid_groups import GridGroup, ordered_groups
from tagger.ui.photo_previews import PhotoPreviews

TOKEN_NOTE = "api_token"
_LOCK = threading.Lock()
_CURRENT: list["AppState"] = []


@dataclass(frozen=True, kw_only=True)
class AppState:
    """State of the app: the run under review, its store, the session that hands out cards, and the previews."""

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
    open_runs: "OpenRuns"  # the states of this process on the same photos and decisions, this one too

    @property
    def is_first(self) -> bool:
        """Whether the app was opened on this run; the routes show its photos where no run is named."""
        return next(iter(self.open_runs.by_name)) == self.run.path.absolute().name

    def on_run(self, name: str | None) -> "AppState":
        """The state on another run of the same folder, opened once; this one for no name, or its own.

        TaggerError if there is no such run, or if it is on other photos: its decisions are elsewhere.
        """
        if not name:
            return self
        with self.open_runs.lock:
            if name not in self.open_runs.by_name:
                self.open_runs.by_name[name] = _open_sibling(self, name)
            return self.open_runs.by_name[name]


@dataclass(frozen=True)
class OpenRuns:
    """States by the name of their run; the lock is held while one is opened."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    by_name: dict[str, AppState] = field(default_factory=dict)


def open_app_state(
    run: str | Path | None = None,
    *,
    store: str | None = None,
    data: str | Path | None = None,
    reviewer: str | None = None,
    served: bool = True,
    say: Callable[[str], None] | None = None,
    new_store: bool = False,
) -> AppState:
    """The state of the app on a run (default: the one in use). TaggerError says why it cannot be reviewed.

    ``data`` is the data folder if it was moved. ``say`` is told which run is in use, if none is given. ``new_store``
    starts the database ``store`` in any folder; without it, one that is absent or empty is taken for a disk that
    is not mounted.
    """
    if new_store:
        check_new_store(store)
    elif store:
        check_store_folder(store, writes=True)
    folder = with_data(find_run(run, say), data)
    root = data_folder(folder, holds_decisions=store is None)
    folder = locate_run(folder, verify=False)
    tables = _read_tables(folder)
    opened = Store.open(store or default_url(root))
    reviewer = reviewer or default_reviewer()
    return _open_state(folder, tables, root, opened, reviewer, served=served, open_runs=OpenRuns())


def _open_sibling(app_state: AppState, name: str) -> AppState:
    """The state on another run in the folder of this one. TaggerError if it cannot be reviewed here."""
    path = app_state.run.path.absolute().parent / name
    if Path(name).name != name:
        raise TaggerError(f"{name!r} is no name of a run.")
    former = app_state.run.former if isinstance(app_state.run, LocatedRun) else app_state.run
    folder = with_data(find_run(path), former.data if isinstance(former, MovedRun) else None)
    root = data_folder(folder)
    if not same_place(root, app_state.previews.root):
        raise TaggerError(f"{name} is on other photos ({root}). Open it: tagger review --run {path}")
    folder = locate_run(folder, verify=False)
    return _open_state(
        folder, _read_tables(folder), root, app_state.store, app_state.reviewer,
        served=app_state.served, open_runs=app_state.open_runs,
    )  # fmt: skip


def _open_state(
    folder: RunFolder,
    tables: "_RunTables",
    root: Path,
    store: Store,
    reviewer: str,
    *,
    served: bool,
    open_runs: OpenRuns,
) -> AppState:
    """The state on a run with its store open; it is one of ``open_runs`` from now on."""
    names = folder.load_labels()
    store = copy(store)  # the same database; each run reads decisions as those on its own photos
    know_photos(store, tables.images, root)
    reviewed = ReviewedRun(
        name=folder.path.name,
        suspects=tables.suspects,
        images=tables.images,
        labels_NK=tables.labels_NK,
        labels=names,
        neighbours=tables.neighbours,
        probs_NK=None if tables.oof is None else tables.oof[0],
        rules=folder.load_rules(),
        groups=folder.load_groups(),
    )
    doubt_model = _doubt_model(folder, store.url_with_password())
    state = AppState(
        run=folder,
        store=store,
        session=ReviewSession(reviewed, store, doubt_model=doubt_model),
        previews=PhotoPreviews(root, root / ".tagger" / "previews", _pictures(tables.images)),
        token=_token(store),
        reviewer=reviewer,
        hashes=tables.images["hash"].to_numpy(object),
        run_labels=names,
        groups=ordered_groups(tables.suspects),
        signals=frozenset(tables.suspects["main_signal"].dropna()),
        served=served,
        open_runs=open_runs,
    )
    open_runs.by_name.setdefault(folder.path.absolute().name, state)
    return state


@dataclass(frozen=True)
class _RunTables:
    """Tables of a run that a review needs; the last two are None in older runs."""

    suspects: pd.DataFrame
    images: pd.DataFrame
    labels_NK: Cells
    neighbours: Any
    oof: Any


def _pictures(images: pd.DataFrame) -> dict[str, str]:
    """The picture of each photo by hash, in a run that knows them."""
    if "picture_hash" not in images:
        return {}
    return dict(zip(images["hash"], images["picture_hash"], strict=True))


def _read_tables(folder: RunFolder) -> _RunTables:
    """The tables, read side by side: a million images take 2.6 s one after the other."""
    with ThreadPoolExecutor() as pool:
        suspects = pool.submit(folder.load_suspects)
        images = pool.submit(folder.load_images)
        cells = pool.submit(folder.load_cells)
        neighbours = pool.submit(_load_if_present, folder.load_neighbours)
        oof = pool.submit(_load_if_present, folder.load_oof)
    return _RunTables(suspects.result(), images.result(), cells.result(), neighbours.result(), oof.result())


def set_current_state(state: AppState) -> None:
    """Make this the state of the process."""
    _CURRENT[:] = [state]


def clear_current_state() -> None:
    """Forget the state of the process; its store stays open."""
    _CURRENT.clear()


def current_state(
    run: str | Path | None = None, *, store: str | None = None, reviewer: str | None = None
) -> AppState:
    """The state of the process; opened now, without routes of our own, if there is none yet."""
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
    """What ``load`` gives, or None where the run lacks the file, as older ones do."""
    try:
        return load()
    except TaggerError:
        return None


def _doubt_model(folder: RunFolder, store: str | None) -> DoubtModel:
    """What the app learns with; it and what it imports are loaded when they are first needed."""

    def prepare_rejudge() -> Any:
        from tagger.commands.suspects import make_rejudge

        return make_rejudge(folder, store)

    return DoubtModel(rescore=_lazy_rescore(folder, store), prepare_rejudge=prepare_rejudge)


def _lazy_rescore(folder: RunFolder, store: str | None) -> Callable[[Any, Any], Any]:
    """The rescorer of the suspects; it and what it imports (scikit-learn) are loaded at its first call."""
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
