"""Estimate of the errors left and of whether to go on, from the blind audit sample.

Undecided cells are grouped by doubt; the groups' sizes are known, and in each the blind verdicts are a
random sample. A group's error rate has a Beta prior around its mean doubt, moved by one unknown shift (in
log-odds) that all groups share: if the doubts are too low or too high, the audit shows it. The posterior is
drawn by simulation.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.suspects.audit_sample import stratum_of

NUM_DRAWS = 2000
LIKELIHOOD_POWER = (
    0.6  # groups do not quite share one shift: counted in full, the audit would make the interval too narrow
)
SHIFT_STD = 1.0  # prior standard deviation of the shared shift, in nats
FEW_ERRORS = 5  # errors among the next hundred that are no longer worth a person's time
MIN_AUDITED = 20


@dataclass(frozen=True)
class ErrorEstimate:
    """Errors left among undecided cells and among the next hundred of the queue, each with a 95 % interval."""

    errors_left: int
    errors_low: int
    errors_high: int
    next_hundred: int
    next_low: int
    next_high: int
    may_stop: bool
    reason: str
    num_audited: int


def estimate_errors(
    table: pd.DataFrame,
    doubt: Floats,
    verdicts: pd.DataFrame,
    queue: NDArray[np.integer],
    *,
    seed: int = 0,
) -> ErrorEstimate:
    """What is left to find. ``table`` and ``doubt``: the suspects and their current doubts; ``verdicts`` has
    ``position``, ``wrong`` and ``blind``; ``queue``: positions of undecided suspects, the next one first."""
    rng = np.random.default_rng(seed)
    decided = verdicts["position"].to_numpy(np.int64)
    left, low, high = _errors_left(table, doubt, verdicts, queue, rng)
    soon, soon_low, soon_high = _next_errors(doubt[queue[:100]], len(decided), rng)
    audited = int(verdicts["blind"].sum()) if len(verdicts) else 0
    count = min(100, len(queue))
    found = f"about {soon} ({soon_low} to {soon_high})"
    if not len(queue):
        stop = True
        reason = f"No suspects are left to ask about; about {left} errors ({low} to {high}) may remain."
    elif soon_high < FEW_ERRORS and audited >= MIN_AUDITED:
        stop = True
        reason = (
            f"The next {count} cards probably hold {found} wrong labels: fewer than {FEW_ERRORS} in {count}."
        )
    elif soon_high < FEW_ERRORS:
        stop = False
        reason = (
            f"Few errors seem left, but only {audited} random cells have been checked so far"
            f" ({MIN_AUDITED} are needed)."
        )
    else:
        stop = False
        reason = f"The next {count} cards probably hold {found} wrong labels."
    return ErrorEstimate(left, low, high, soon, soon_low, soon_high, stop, reason, audited)


def _errors_left(
    table: pd.DataFrame,
    doubt: Floats,
    verdicts: pd.DataFrame,
    queue: NDArray[np.integer],
    rng: np.random.Generator,
) -> tuple[int, int, int]:
    """Median and 95 % interval of the errors among all undecided cells, listed or not."""
    stratum = table["stratum"].to_numpy(np.int64)
    listed = np.zeros(len(table), bool)
    listed[queue] = True
    frontier = float(doubt[queue[0]]) if len(queue) else 0.0
    extra = (
        table["audit"] & (table["doubt"] < _min_suspect_doubt(table))
    ).to_numpy()  # random cells that are no suspects
    reviewed_rows = verdicts["position"].to_numpy(np.int64)
    wrong = verdicts["wrong"].to_numpy(bool)
    blind = verdicts["blind"].to_numpy(bool)
    groups = []
    now = stratum_of(doubt)
    for group in range(10):  # undecided suspects, by current doubt
        undecided = listed & ~extra & (now == group)
        sample = (
            blind & ~extra[reviewed_rows] & (now[reviewed_rows] == group) & (doubt[reviewed_rows] <= frontier)
        )
        if undecided.any():
            groups.append(_sampled_group(int(undecided.sum()), doubt[undecided], wrong[sample]))
    for group in np.unique(stratum[extra]):  # cells below the floor, by the doubt they were sampled by
        here = extra & (stratum == group)
        size = int(table["stratum_size"].to_numpy()[here][0]) - int((~extra & (stratum == group)).sum())
        sample = extra[reviewed_rows] & (stratum[reviewed_rows] == group)
        groups.append(_sampled_group(max(size - int(sample.sum()), 0), doubt[here], wrong[sample]))
    if not groups:
        return 0, 0, 0
    size_G, mean_G, asked_G, hits_G = (np.array(values) for values in zip(*groups, strict=True))
    totals = _draw_error_totals(size_G, mean_G, asked_G, hits_G, rng)
    low, middle, high = np.quantile(totals, [0.025, 0.5, 0.975])
    return round(middle), round(low), round(high)


def _sampled_group(
    size: int, doubts: Floats, wrong_in_sample: NDArray[np.bool_]
) -> tuple[int, float, int, int]:
    """(cells, their mean doubt, cells that were checked, checked cells that were wrong) of a group."""
    return size, float(doubts.mean()), len(wrong_in_sample), int(wrong_in_sample.sum())


def _min_suspect_doubt(table: pd.DataFrame) -> float:
    """The smallest doubt of a row that is there for its doubt: audit cells below it are not suspects."""
    own = table.loc[~table["audit"], "doubt"]
    return float(own.min()) if len(own) else np.inf


def _draw_error_totals(
    size_G: NDArray[np.int64],
    mean_G: Floats,
    asked_G: NDArray[np.int64],
    hits_G: NDArray[np.int64],
    rng: np.random.Generator,
) -> Floats:
    """Draws (``NUM_DRAWS``) of the number of errors in all groups together."""
    from scipy.stats import betabinom  # here, because the app starts without it

    strength_G = np.clip(0.4 / mean_G, 4, 80)
    shifts_A = np.linspace(-3, 3, 61) * SHIFT_STD
    logits_G = np.log(mean_G) - np.log1p(-mean_G)
    prob_AG = (1 / (1 + np.exp(-(logits_G + shifts_A[:, None])))).clip(1e-6, 1 - 1e-6)
    chance_A = -0.5 * (shifts_A / SHIFT_STD) ** 2
    seen_AG = betabinom.logpmf(hits_G, asked_G, strength_G * prob_AG, strength_G * (1 - prob_AG))
    chance_A += LIKELIHOOD_POWER * seen_AG.sum(axis=1)
    share_A = np.exp(chance_A - chance_A.max())
    drawn = rng.choice(len(shifts_A), NUM_DRAWS, p=share_A / share_A.sum())
    prob_DG = prob_AG[drawn]
    rate_DG = rng.beta(strength_G * prob_DG + hits_G, strength_G * (1 - prob_DG) + asked_G - hits_G)
    return rng.binomial(size_G, rate_DG).sum(axis=1).astype(np.float64)


def _next_errors(doubt_Q: Floats, num_verdicts: int, rng: np.random.Generator) -> tuple[int, int, int]:
    """Median and 95 % interval of the errors among the next cells; the more verdicts, the surer are their doubts."""
    if not len(doubt_Q):
        return 0, 0, 0
    clipped_Q = np.clip(doubt_Q.astype(np.float64), 1e-4, 1 - 1e-4)
    spread = 0.25 + 0.8 / np.sqrt(1 + num_verdicts / 30)
    shift_D1 = rng.normal(0, spread, (NUM_DRAWS, 1))
    prob_DQ = 1 / (1 + np.exp(-(np.log(clipped_Q) - np.log1p(-clipped_Q) + shift_D1)))
    low, middle, high = np.quantile((rng.random(prob_DQ.shape) < prob_DQ).sum(axis=1), [0.025, 0.5, 0.975])
    return round(middle), round(low), round(high)
