"""Newton's method with step halving for the smooth, convex losses of calibration and suspects.

One solver for three fits: Platt curves (``scoring.calibration``), regressions on signals
(``suspects.logistic_regression``) and verdicts (``suspects.doubt_refit``). Each brings its loss and its Newton step;
scipy's optimisers would do the same, but the app and ``tagger predict`` start without scipy.
"""

from collections.abc import Callable

import numpy as np

from tagger.arrays import Floats

MAX_HALVINGS = 30  # 2^-30 of a Newton step: where even that gains nothing, only rounding is left

Evaluation = tuple[float, Callable[[], Floats]]  # the loss at some weights, and the Newton step from there


def newton_minimize(
    evaluate: Callable[[Floats], Evaluation],
    start_W: Floats,
    *,
    max_steps: int,
    step_tolerance: float = 0.0,
    loss_tolerance: float = 0.0,
    rounding: float = 0.0,
    project: Callable[[Floats], Floats] | None = None,
) -> Floats:
    """The weights (W) of least loss, float64, from ``start_W`` on.

    ``evaluate(weights_W)`` gives the loss and a function for the Newton step there, the inverse curvature times the
    gradient, which is taken away from the weights. ``project`` moves weights into their bounds.

    Step halving: a step is halved, at most ``MAX_HALVINGS`` times, until the loss does not rise by more than the
    share ``rounding`` of it (for losses computed in float32). Where no halved step passes, the weights stay.

    Convergence: the method ends after a step that changes every weight by less than ``step_tolerance``, after one
    that lowers the loss by less than ``loss_tolerance * max(1, loss)``, where no step passes, and after ``max_steps``.
    Newton's method squares the error: a last step of 1e-3 leaves about 1e-6.

    >>> parabola = lambda w: (float((w - 3) @ (w - 3)), lambda: w - 3)
    >>> newton_minimize(parabola, np.array([0.0]), max_steps=9, step_tolerance=1e-9).tolist()
    [3.0]
    """
    weights_W: Floats = np.asarray(start_W, dtype=np.float64)
    loss, newton_step = evaluate(weights_W)
    for _ in range(max_steps):
        step_W = newton_step()
        for _ in range(MAX_HALVINGS):
            trial_W: Floats = weights_W - step_W
            trial_W = trial_W if project is None else project(trial_W)
            trial_loss, newton_step = evaluate(trial_W)
            moved = float(np.abs(trial_W - weights_W).max())
            if trial_loss <= loss * (1 + rounding):
                break
            step_W = step_W / 2
        else:
            return weights_W
        flat = loss_tolerance > 0 and loss - trial_loss < loss_tolerance * max(1.0, loss)
        weights_W, loss = trial_W, trial_loss
        if moved < step_tolerance or flat:
            break
    return weights_W


def logistic_curvature(design_ND: Floats, spread_N: Floats, precision_D: Floats) -> Floats:
    """Second derivatives (D, D) of a penalised log loss: X' diag(spread) X + diag(precision), spread = p (1 - p).

    >>> logistic_curvature(np.array([[1.0, 2.0]]), np.array([0.25]), np.array([1.0, 1.0])).tolist()
    [[1.25, 0.5], [0.5, 2.0]]
    """
    return (design_ND * spread_N[:, None]).T @ design_ND + np.diag(precision_D)
