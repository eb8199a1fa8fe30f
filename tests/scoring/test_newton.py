"""Newton's method finds the minima that scipy finds, and keeps its rules of halving and convergence."""

import numpy as np
import pytest
from scipy.optimize import minimize

from tagger.arrays import sigmoid
from tagger.scoring.newton import MAX_HALVINGS, logistic_curvature, newton_minimize


def logistic_problem(seed: int, num_rows: int = 400, num_columns: int = 4):
    """A design matrix, labels drawn from it, and a different precision of each weight."""
    rng = np.random.default_rng(seed)
    design_ND = rng.standard_normal((num_rows, num_columns)) * rng.uniform(0.1, 5, num_columns)
    yes_N = rng.random(num_rows) < sigmoid(design_ND @ rng.standard_normal(num_columns))
    return design_ND, yes_N, rng.uniform(0.1, 10, num_columns)


def penalised_loss(design_ND, yes_N, precision_D):
    """Loss of a penalised logistic regression, and the function that ``newton_minimize`` takes."""

    def loss(w_D):
        logits_N = design_ND @ w_D
        return np.logaddexp(0, np.where(yes_N, -logits_N, logits_N)).sum() + (precision_D * w_D**2).sum() / 2

    def evaluate(w_D):
        probs_N = sigmoid(design_ND @ w_D)
        gradient_D = design_ND.T @ (probs_N - yes_N) + precision_D * w_D
        curvature_DD = logistic_curvature(design_ND, probs_N * (1 - probs_N), precision_D)
        return float(loss(w_D)), lambda: np.linalg.solve(curvature_DD, gradient_D)

    return loss, evaluate


def log_cosh(w_W):
    """log cosh and its full Newton step, which goes further and further away from |w| > 1.09 on."""
    return float(np.log(np.cosh(w_W)).sum()), lambda: np.tanh(w_W) * np.cosh(w_W) ** 2


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_the_minimum_that_scipy_finds(seed: int):
    loss, evaluate = penalised_loss(*logistic_problem(seed))
    found_D = newton_minimize(evaluate, np.zeros(4), max_steps=50, step_tolerance=1e-9)
    np.testing.assert_allclose(found_D, minimize(loss, np.zeros(4), tol=1e-10).x, atol=1e-5)


def test_the_curvature_is_the_derivative_of_the_gradient():
    design_ND, yes_N, precision_D = logistic_problem(0)
    w_D = np.array([0.3, -0.2, 0.1, 0.5])

    def gradient(w_D):
        return design_ND.T @ (sigmoid(design_ND @ w_D) - yes_N) + precision_D * w_D

    probs_N = sigmoid(design_ND @ w_D)
    columns = [(gradient(w_D + e) - gradient(w_D - e)) / 2e-5 for e in 1e-5 * np.eye(4)]
    curvature_DD = logistic_curvature(design_ND, probs_N * (1 - probs_N), precision_D)
    np.testing.assert_allclose(curvature_DD, np.stack(columns, axis=1), rtol=1e-6)


def test_halved_steps_arrive_where_full_ones_run_away():
    full_W = np.array([2.0])
    for _ in range(2):
        full_W = full_W - log_cosh(full_W)[1]()
    assert np.abs(full_W) > 1e3
    assert newton_minimize(log_cosh, np.array([2.0]), max_steps=50, step_tolerance=1e-9) == pytest.approx(0)


def test_bounded_weights_stop_at_the_bound_that_scipy_stops_at():
    loss, evaluate = penalised_loss(*logistic_problem(1, num_columns=1))
    free = float(minimize(loss, [0.0], tol=1e-10).x[0])
    bounds = (free - 2, free - 0.5)
    reference = minimize(loss, [free - 1], bounds=[bounds], method="L-BFGS-B").x
    found_D = newton_minimize(
        evaluate,
        np.array([free - 1]),
        max_steps=50,
        step_tolerance=1e-9,
        project=lambda w: np.clip(w, *bounds),
    )
    np.testing.assert_allclose(found_D, reference, atol=1e-9)


def test_weights_stay_where_no_step_lowers_the_loss():
    losses = []

    def uphill(w_W):
        losses.append(float(w_W @ w_W))
        return losses[-1], lambda: np.array([-1.0])

    assert newton_minimize(uphill, np.zeros(1), max_steps=50).tolist() == [0.0]
    assert len(losses) == 1 + MAX_HALVINGS


def test_a_rise_within_rounding_is_none():
    def noisy(w_W):
        return 100.0 + 1e-5 * float(w_W @ w_W), lambda: np.array([-1.0])

    assert newton_minimize(noisy, np.zeros(1), max_steps=1, rounding=1e-6).tolist() == [1.0]


def count_steps(**rules) -> int:
    """How many steps 100 -> 50 -> 25 ... (each takes half of the weight away) goes on under the rules."""
    begun = []

    def step(w_W):
        begun.append(w_W)
        return w_W / 2

    newton_minimize(lambda w_W: (float(w_W @ w_W), lambda: step(w_W)), np.array([100.0]), **rules)
    return len(begun)


def test_it_ends_by_step_by_loss_or_by_number():
    assert count_steps(max_steps=3) == 3
    assert count_steps(max_steps=99, step_tolerance=30.0) == 2  # steps 50, 25
    # the loss falls by three quarters each time; 10000 / 4^7 = 0.61 is the first of which that is less than 0.5
    assert count_steps(max_steps=99, loss_tolerance=0.5) == 8
