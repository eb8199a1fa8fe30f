"""``tagger suspects``: rank the label cells of a run by how likely they are wrong."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tagger.arrays import UNKNOWN
from tagger.commands.console.screen import Screen
from tagger.commands.steps.related_photos import frames_of, sets_of
from tagger.commands.steps.reviewed_labels import read_decisions, store_is_missing, store_url
from tagger.review import RecordedDecision, apply_decisions
from tagger.runs import RunFolder, find_run, locate_run, with_data
from tagger.suspects import AnsweredPhotos, Evidence, find_suspects, nearest_images, rescore_suspects
from tagger.text import counted

NUM_SHOWN = 20


def suspects(
    run: str | Path | RunFolder | None = None,
    *,
    limit: int = 100_000,
    store: str | None = None,
    data: str | Path | None = None,
    screen: Screen | None = None,
) -> pd.DataFrame:
    """The suspects of a run, at most ``limit``, most doubtful first; also saved as its ``suspects.parquet``.

    Decisions in the review store (``store``, or the data folder's own) count: a cell that a person verified
    is evidence for the others and no suspect itself. ``data`` is the data folder if it was moved; TaggerError
    if it, and the decisions in it, are not there. Columns: file, hash, label, given, suggested, doubt, direction,
    reason and more.
    """
    screen = screen or Screen(quiet=True)
    folder = with_data(run if isinstance(run, RunFolder) else find_run(run, screen.say), data)
    store = _known_store(folder, store, screen)  # first: a folder that is not there shows at once
    folder = locate_run(folder, verify=False)
    screen.log_path = folder.log_path
    images = folder.load_images()
    related_N = sets_of(images)
    group_N = duplicate_group_ids(images) if related_N is None else related_N  # no neighbours of the own set
    folder.save_neighbours(*nearest_images(folder.load_embeddings(), group_N, images.get("embedder")))
    evidence = load_evidence(folder, store)
    found = find_suspects(
        evidence,
        images["file"].to_numpy(),
        images["hash"].to_numpy(),
        limit=limit,
        seed=folder.load_settings().seed,
    )
    folder.save_suspects(found.table)
    num_verified = 0 if evidence.verified_NK is None else int(evidence.verified_NK.sum())
    # After ``limit`` come the cells drawn for the estimate of errors.
    _show_suspects(found.table.head(limit), (*found.shares, *found.notes), num_verified, screen)
    return found.table


def _known_store(folder: RunFolder, store: str | None, screen: Screen) -> str:
    """The address of the store; one that is named may be new, as suspects come before the first review."""
    url = store_url(folder, store, may_be_new=True)
    if store and store_is_missing(url):
        screen.say(f"{url}: this database of decisions is not there yet. No decisions count.")
    return url


def load_evidence(folder: RunFolder, store: str | None = None) -> Evidence:
    """Evidence of a run on its cells, with people's decisions so far."""
    images, (probs_NK, fold_N) = folder.load_images(), folder.load_oof()
    nearest_NM, similarity_NM = folder.load_neighbours()
    dynamics = folder.load_dynamics()
    cells_NK = folder.load_cells()
    frames = frames_of(images)
    evidence = Evidence(
        labels_NK=cells_NK,
        probs_NK=probs_NK,
        names=folder.load_labels(),
        fold_N=fold_N,
        duplicate_group_N=duplicate_group_ids(images) if frames is None else groups_of_frames(images),
        around_N2=None if frames is None else frames.around(),
        nearest_NM=nearest_NM,
        similarity_NM=similarity_NM,
        dynamics_NK=None if dynamics is None else dynamics[0],
        rules=folder.load_rules(),
        groups=folder.load_groups(),
    )
    rows, _ = read_decisions(store_url(folder, store, may_be_new=True), folder)
    return _with_corrections(evidence, images, rows) if rows else evidence


def _with_corrections(evidence: Evidence, images: pd.DataFrame, rows: Sequence[RecordedDecision]) -> Evidence:
    """The evidence with people's corrections: verified cells are marked, and their first labels kept."""
    names = evidence.names
    hashes = images["hash"].tolist()
    known = [row if row.label in names else replace(row, label="") for row in rows]
    applied = apply_decisions(images["file"].tolist(), hashes, evidence.labels_NK, names, known)
    first: dict[tuple[str, str], int] = {}
    for row in known:
        if row.verdict in ("yes", "no") and row.before != UNKNOWN:
            first.setdefault((row.hash, row.label), row.before)
    original_NK = evidence.labels_NK.copy()
    for n, k in np.argwhere(applied.verified_NK):
        original_NK[n, k] = first.get((hashes[n], names[k]), original_NK[n, k])
    return replace(
        evidence, labels_NK=applied.labels_NK, verified_NK=applied.verified_NK, original_NK=original_NK
    )


def make_rescorer(
    folder: RunFolder, store: str | None = None
) -> Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]:
    """Function (table, verdicts) -> table that rescores the run's suspects by verdicts; it reads the run once."""
    read: list[Evidence] = []

    def rescore(table: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
        if not read:
            read.append(load_evidence(folder, store))
        return rescore_suspects(read[0], table, verdicts)

    return rescore


def make_rejudge(
    folder: RunFolder, store: str | None = None
) -> Callable[[pd.DataFrame, np.ndarray, pd.DataFrame], np.ndarray]:
    """Function (table, doubt, verdicts) -> doubt: answered photos' other labels are judged anew; reads the run now."""
    return AnsweredPhotos(load_evidence(folder, store)).rejudged


def duplicate_group_ids(images: pd.DataFrame) -> np.ndarray:
    """Group number of each image (N): of its near-duplicates, or of exact duplicates in an older run."""
    return (
        images["group"].to_numpy() if "group" in images else np.unique(images["hash"], return_inverse=True)[1]
    )


def groups_of_frames(images: pd.DataFrame) -> np.ndarray:
    """``duplicate_group_ids``, in which frames of one sequence are copies only if their bytes are equal.

    Frames that follow each other look alike, and where a label begins they rightly differ.
    """
    group_N = duplicate_group_ids(images)
    inside = images.assign(group=group_N).groupby(["group", "sequence"])["hash"]
    several_N = (inside.transform("nunique") > 1).to_numpy()
    _, by_hash_N = np.unique(images["hash"], return_inverse=True)
    return np.where(several_N, group_N.max() + 1 + by_hash_N, group_N)


def _show_suspects(table: pd.DataFrame, notes: tuple[str, ...], num_verified: int, screen: Screen) -> None:
    """Counts, the first suspects, and notes on labels: how many look wrong, which could not be ranked."""
    likely = table[table["doubt"] >= 0.5]
    missing = int((likely["direction"] == "missing").sum())
    expected = float(table.loc[table["doubt"] >= 0.01, "doubt"].sum())
    screen.say(
        f"{counted(len(table), 'label')} listed; {len(likely):,} are more likely wrong than right"
        f" ({missing:,} missing, {len(likely) - missing:,} spurious). About {expected:,.0f} are expected to be wrong."
    )
    if num_verified:
        verb = "is" if num_verified == 1 else "are"
        screen.say(f"{counted(num_verified, 'label')} {verb} already decided and not listed.")
    screen.say_list(notes, indent="")
    for row in table.head(NUM_SHOWN).itertuples():
        screen.say(f"  {row.doubt:.2f}  {row.direction:8s}  {row.label}  {row.file}", style="bold")
        screen.say(f"        {row.reason}")
    if len(table) > NUM_SHOWN:
        screen.say(f"  ... and {len(table) - NUM_SHOWN:,} more")
