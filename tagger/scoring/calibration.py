"""Per-label calibration: none, temperature or Platt scaling, chosen by cross-validated log loss.

Every curve is ``sigmoid(scale * logit + bias)`` with scale > 0, so the ranking of a label never changes.
Per label the curve with the lowest cross-validated log loss is taken (a simpler one when equal); a label
with too few of either class gets the temperature that is shared by all labels, and says so. Labels that
exclude each other share one temperature of their softmax, so that the order of an image's labels stays
(``group_calibration.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, UNKNOWN, YES, Bools, Cells, Floats, labels_with_both_sides, logit, sigmoid
from tagger.scoring.finite_checks import check_finite_fields, check_scores
from tagger.scoring.group_calibration import fit_group_scale, scale_softmax
from tagger.scoring.group_metrics import true_classes
from tagger.scoring.label_constraints import ExclusiveGroup
from tagger.scoring.newton import logistic_curvature, newton_minimize

SCALE_BOUNDS = (
    0.05,
    20.0,
)  # a fitted scale stays inside, so that an uninformative label cannot turn or freeze its ranking


@dataclass(frozen=True)
class PlattParams:
    """``sigmoid(scale * logit + bias)`` and how it was chosen."""

    scale: float = 1.0
    bias: float = 0.0
    how: str = "none"


@dataclass(frozen=True)
class Calibration:
    """One curve per label, in K's order; those of a group are alike and stand for one softmax over it."""

    params: tuple[PlattParams, ...]
    groups: tuple[ExclusiveGroup, ...] = ()

    def apply(self, probs_NK: Floats) -> Floats:
        """Calibrated probabilities, (N, K) float64; the order within a label, or a group, is kept (up to
        rounding).

        >>> Calibration((PlattParams(scale=2.0),)).apply(np.array([[0.5], [0.8]])).round(3).tolist()
        [[0.5], [0.941]]
        """
        scale_K, bias_K = (np.array([getattr(c, field) for c in self.params]) for field in ("scale", "bias"))
        probs_NK = np.asarray(probs_NK, dtype=np.float64)
        calibrated_NK = sigmoid(logit(probs_NK, eps=1e-15) * scale_K + bias_K)
        for one in self.groups:
            columns = list(one.columns)
            calibrated_NK[:, columns] = scale_softmax(
                probs_NK[:, columns], float(scale_K[columns[0]]), always=one.always
            )
        return calibrated_NK

    def to_json(self) -> list[dict[str, Any]]:
        """A list that ``json`` can write, one entry a label: scale, bias, how, and of its group, if any, what it is."""
        rows = [asdict(curve) for curve in self.params]
        for one in self.groups:
            for place, k in enumerate(one.columns):
                kind = {"always": one.always, "ordinal": one.ordinal}
                rows[k]["group"] = {"name": one.name, "place": place, **kind}
        return rows

    @classmethod
    def from_json(cls, data: list[dict[str, Any]]) -> "Calibration":
        """What ``to_json`` gave, back again; TaggerError for a number that is none.

        >>> Calibration.from_json(Calibration((PlattParams(),)).to_json()) == Calibration((PlattParams(),))
        True
        """
        check_finite_fields(data, "scale", "bias")
        params = tuple(PlattParams(float(d["scale"]), float(d["bias"]), str(d["how"])) for d in data)
        members: dict[str, list[tuple[int, int]]] = {}
        kinds: dict[str, dict[str, bool]] = {}
        for k, row in enumerate(data):
            if group := row.get("group"):
                members.setdefault(group["name"], []).append((group["place"], k))
                kinds[group["name"]] = {"always": bool(group["always"]), "ordinal": bool(group["ordinal"])}
        return cls(
            params,
            tuple(
                ExclusiveGroup(name, tuple(k for _, k in sorted(members[name])), **kinds[name])
                for name in kinds
            ),
        )


def fit_calibration(
    labels_NK: Cells,
    probs_NK: Floats,
    groups: Sequence[ExclusiveGroup] = (),
    *,
    decidable_K: Bools | None = None,
    min_positives: int = 10,
    folds: int = 5,
    seed: int = 0,
) -> Calibration:
    """A curve per label, and per group, fitted on out-of-sample probabilities; unknown cells are left out.
    Only labels of ``decidable_K`` (default: those with a known yes and no here) shape the shared curve.
    TaggerError if the probability of a known cell is NaN.

    >>> rng = np.random.default_rng(0)
    >>> truth = rng.random((2000, 1))
    >>> labels = (rng.random((2000, 1)) < truth).astype(np.int8)
    >>> fit_calibration(labels, sigmoid(3 * logit(truth))).params[0].how  # three times too sure
    'temperature'
    """
    check_scores(labels_NK, probs_NK)
    logits_NK = logit(np.asarray(probs_NK, dtype=np.float64), eps=1e-15)
    known_NK = labels_NK != UNKNOWN
    of_group = {k: one for one in groups for k in one.columns}
    decidable_K = labels_with_both_sides(labels_NK) if decidable_K is None else decidable_K
    free_NK = known_NK & decidable_K & ~np.isin(np.arange(labels_NK.shape[1]), list(of_group))
    shared = fit_scale(logits_NK[free_NK], labels_NK[free_NK] == YES)
    rng = np.random.default_rng(seed)
    of_groups = {one.name: _fit_group(labels_NK, probs_NK, one, min_positives, folds, rng) for one in groups}
    params = []
    for k in range(labels_NK.shape[1]):
        if k in of_group:
            params.append(of_groups[of_group[k].name])
            continue
        cells = labels_NK[:, k]
        num_yes = int((cells == YES).sum())
        num_no = int((cells == NO).sum())
        if min(num_yes, num_no) < max(min_positives, 2):
            few = f"{num_yes} positives" if num_yes <= num_no else f"{num_no} negatives"
            params.append(PlattParams(shared, 0.0, f"shared temperature: not enough data ({few})"))
            continue
        known = known_NK[:, k]
        params.append(_select_by_log_loss(logits_NK[known, k], cells[known] == YES, folds, rng))
    return Calibration(tuple(params), tuple(groups))


def _fit_group(
    labels_NK: Cells,
    probs_NK: Floats,
    one: ExclusiveGroup,
    min_positives: int,
    folds: int,
    rng: np.random.Generator,
) -> PlattParams:
    """The curve that all labels of a group have."""
    cells_NM = labels_NK[:, one.columns]
    probs_NM = np.asarray(probs_NK)[:, one.columns]
    num_known = int((true_classes(cells_NM, always=one.always) >= 0).sum())
    if num_known < max(min_positives, folds):
        return PlattParams(how=f"none: not enough data ({num_known} images with a known label in the group)")
    scale = fit_group_scale(cells_NM, probs_NM, always=one.always, folds=folds, rng=rng)
    return PlattParams() if scale == 1.0 else PlattParams(scale, 0.0, "temperature of its group")


def _select_by_log_loss(
    logits_N: Floats, yes_N: NDArray[np.bool_], folds: int, rng: np.random.Generator
) -> PlattParams:
    """The curve of one label whose cross-validated log loss is lowest."""
    fold_N = _stratified_folds(yes_N, folds, rng)
    losses = np.zeros(3)
    for fold in range(folds):
        fit = fold_N != fold
        test = fold_N == fold
        scale, (slope, bias) = fit_scale(logits_N[fit], yes_N[fit]), fit_platt(logits_N[fit], yes_N[fit])
        z = logits_N[test]
        y = yes_N[test]
        losses += [log_loss_sum(x, y) for x in (z, scale * z, slope * z + bias)]
    best = int(np.argmin(losses))  # the first, that is the simplest, when equal
    if best == 0:
        return PlattParams()
    if best == 1:
        return PlattParams(fit_scale(logits_N, yes_N), 0.0, "temperature")
    return PlattParams(*fit_platt(logits_N, yes_N), "platt")


def _stratified_folds(yes_N: NDArray[np.bool_], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A fold number for every cell, each class spread evenly."""
    fold_N = np.zeros(len(yes_N), dtype=np.int64)
    for side in (True, False):
        where = rng.permutation(np.flatnonzero(yes_N == side))
        fold_N[where] = np.arange(len(where)) % folds
    return fold_N


def log_loss_sum(logits_N: Floats, yes_N: NDArray[np.bool_]) -> float:
    """Summed log loss of logits, without overflow.

    >>> round(log_loss_sum(np.array([0.0]), np.array([True])), 4)
    0.6931
    """
    return float(np.logaddexp(0, np.where(yes_N, -logits_N, logits_N)).sum())


def fit_scale(logits_N: Floats, yes_N: NDArray[np.bool_]) -> float:
    """The scale (1 / temperature, Guo et al. 2017) of least log loss; 1 when there is nothing to learn from."""
    return _fit_platt(logits_N, yes_N, with_bias=False)[0]


def fit_platt(
    logits_N: Floats, yes_N: NDArray[np.bool_], *, prior: float = 1.0, centre: float = 1.0
) -> tuple[float, float]:
    """Scale and bias of least log loss (Platt 1999), held near (centre, 0) by a normal prior of precision
    ``prior``.

    >>> z = np.linspace(-4, 4, 4001)
    >>> scale, bias = fit_platt(z, np.random.default_rng(0).random(4001) < sigmoid(2 * z - 1))
    >>> abs(scale - 2) < 0.2, abs(bias + 1) < 0.2
    (True, True)
    """
    return _fit_platt(logits_N, yes_N, with_bias=True, prior=prior, centre=centre)


def platt_draws(
    logits_N: Floats,
    yes_N: NDArray[np.bool_],
    weights_NB: Floats,
    fitted: tuple[float, float],
    *,
    prior: float,
    centre: float,
) -> tuple[Floats, Floats]:
    """Scales and biases (B) for each weighting of the cells: one Newton step from the ``fitted`` (scale, bias).

    Scales stay within a factor of 3 of the fitted one.

    >>> z = np.linspace(-4, 4, 4001)
    >>> yes = np.random.default_rng(0).random(4001) < sigmoid(2 * z - 1)
    >>> fitted = fit_platt(z, yes)
    >>> scales, biases = platt_draws(z, yes, np.ones((4001, 1)), fitted, prior=1, centre=1)
    >>> np.allclose(scales, fitted[0]), np.allclose(biases, fitted[1])  # every weight 1: nothing to correct
    (True, True)
    """
    scale, bias = fitted
    design_ND = np.stack([logits_N, np.ones_like(logits_N)], axis=1)
    probs_N = sigmoid(scale * logits_N + bias)
    curvature_DD = logistic_curvature(design_ND, probs_N * (1 - probs_N), np.full(2, prior))
    prior_D = prior * np.array([scale - centre, bias])
    gradient_DB = (design_ND * (probs_N - yes_N)[:, None]).T @ weights_NB + prior_D[:, None]
    moved_DB = np.array([[scale], [bias]]) - np.linalg.solve(curvature_DD, gradient_DB)
    return np.clip(moved_DB[0], 0.3 * scale, 3.0 * scale), moved_DB[1]


def _fit_platt(
    logits_N: Floats, yes_N: NDArray[np.bool_], *, with_bias: bool, prior: float = 1.0, centre: float = 1.0
) -> tuple[float, float]:
    """Scale and bias of least penalised log loss, which is convex; the scale is kept inside ``SCALE_BOUNDS``."""
    columns = [logits_N, np.ones_like(logits_N)] if with_bias else [logits_N]
    design_ND = np.stack(columns, axis=1)
    start_D = np.array([centre, 0.0])[: len(columns)]
    precision_D = np.full(len(columns), prior)

    def evaluate(weights_D: Floats) -> tuple[float, Callable[[], Floats]]:
        logits_N = design_ND @ weights_D

        def newton_step() -> Floats:
            probs_N = sigmoid(logits_N)
            gradient_D = design_ND.T @ (probs_N - yes_N) + prior * (weights_D - start_D)
            curvature_DD = logistic_curvature(design_ND, probs_N * (1 - probs_N), precision_D)
            return np.linalg.solve(curvature_DD, gradient_D)

        penalty = 0.5 * prior * float(((weights_D - start_D) ** 2).sum())
        return log_loss_sum(logits_N, yes_N) + penalty, newton_step

    def clip_scale(weights_D: Floats) -> Floats:
        return np.append(np.clip(weights_D[:1], *SCALE_BOUNDS), weights_D[1:])

    found_D = newton_minimize(evaluate, start_D, max_steps=50, step_tolerance=1e-7, project=clip_scale)
    return float(found_D[0]), float(found_D[1]) if with_bias else 0.0
