"""Procrustes analysis of landmarks: the similarity that moves one shape onto another, and the mean of many shapes.

Gower 1975; thesis chapter 2, equations 2.1 and 2.2, with the size under the root and the angle by atan2 (as printed,
they do not align). Points are complex numbers x + iy here: a similarity is a factor and a shift, a rotation its angle,
and a mirror image cannot come out.

Ours: the mean is brought to unit size in each round, as it shrinks otherwise; and at the end it is turned by the
average angle of the shapes, so that it stands as the photos do and not as the first of them. Points that are absent
(NaN) do not count: a shape is moved by those it has.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.errors import TaggerError
from tagger.text import shortlist

Complex = NDArray[np.complex128]
TOLERANCE = 1e-6  # Procrustes distance between two rounds
MAX_ROUNDS = 100


@dataclass(frozen=True)
class Similarity:
    """The map p -> factor * p + shift of points as complex numbers: a turn, a scale and a shift."""

    factor: complex
    shift: complex

    def __call__(self, points_P2: Floats) -> Floats:
        """The points (P, 2), moved.

        >>> Similarity(2j, 1)(np.array([[1.0, 0.0]])).tolist()
        [[1.0, 2.0]]
        """
        return to_points(self.factor * to_complex(points_P2) + self.shift)

    @property
    def scale(self) -> float:
        """How much longer lines become."""
        return abs(self.factor)

    def inverse(self) -> "Similarity":
        """The similarity that moves everything back."""
        return Similarity(1 / self.factor, -self.shift / self.factor)


def to_complex(points_P2: Floats) -> Complex:
    """Points (..., 2) as complex numbers (...)."""
    points_P2 = np.asarray(points_P2, dtype=np.float64)
    return points_P2[..., 0] + 1j * points_P2[..., 1]


def to_points(complex_P: Complex) -> Floats:
    """Complex numbers (...) as points (..., 2)."""
    return np.stack([complex_P.real, complex_P.imag], axis=-1)


def fit_similarity(source_P2: Floats, target_P2: Floats) -> Similarity | None:
    """The similarity that moves a shape onto another with the least squared distance; absent points do not count.

    None where the shape has no two different points that the other has too.

    >>> move = fit_similarity(np.array([[0, 0], [1, 0]]), np.array([[5.0, 5.0], [5.0, 7.0]]))
    >>> move.factor, move.shift
    (2j, (5+5j))
    """
    source_P, target_P = to_complex(source_P2), to_complex(target_P2)
    there_P = np.isfinite(source_P) & np.isfinite(target_P)
    if there_P.sum() < 2:
        return None
    source_P, target_P = source_P[there_P], target_P[there_P]
    around_P = source_P - source_P.mean()
    spread = float((np.abs(around_P) ** 2).sum())
    factor = complex((around_P.conj() * (target_P - target_P.mean())).sum()) / spread if spread > 0 else 0j
    if factor == 0 or not np.isfinite(factor):
        return None
    return Similarity(factor, complex(target_P.mean()) - factor * complex(source_P.mean()))


def has_shape(points_NP2: Floats) -> NDArray[np.bool_]:
    """Whether each shape (N, P, 2) has two different points: without them it cannot be aligned.

    >>> has_shape(np.array([[[1.0, 1.0], [1.0, 2.0]], [[1.0, 1.0], [np.nan, 2.0]]])).tolist()
    [True, False]
    """
    there_NP1 = np.isfinite(points_NP2).all(axis=-1, keepdims=True)
    low_N2 = np.where(there_NP1, points_NP2, np.inf).min(axis=1)
    high_N2 = np.where(there_NP1, points_NP2, -np.inf).max(axis=1)
    return np.asarray((high_N2 > low_N2).any(axis=1))


def mean_shape(shapes_NP2: Floats) -> Floats:
    """The generalised Procrustes mean (P, 2) of shapes: centred, of unit size, turned as the shapes are on average.

    TaggerError if no shape has two points, or if some point is in none of them.

    >>> square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]])
    >>> mean_shape(np.stack([square, 3 * square + 7])).round(3).tolist()
    [[-0.707, -0.707], [0.707, -0.707], [0.707, 0.707], [-0.707, 0.707]]
    """
    shapes_NP = to_complex(shapes_NP2)
    there_NP = np.isfinite(shapes_NP)
    usable_N = (there_NP.sum(1) > 1) & (_spread(shapes_NP, there_NP) > 0)
    shapes_NP, there_NP = shapes_NP[usable_N], there_NP[usable_N]
    never = np.flatnonzero(~there_NP.any(axis=0)).tolist()
    if not len(shapes_NP):
        raise TaggerError("Landmarks: no training photo has two points. Give others in align.landmarks")
    if never:
        raise TaggerError(f"Landmarks: no training photo has the points {shortlist([*map(str, never)])}")
    mean_P = shapes_NP[there_NP.sum(1).argmax()]
    for _ in range(MAX_ROUNDS):
        before_P = mean_P
        mean_P = _unit(_mean(_aligned(shapes_NP, there_NP, before_P)))
        moved_P = (mean_P - before_P)[np.isfinite(mean_P) & np.isfinite(before_P)]
        if np.isfinite(before_P).all() and np.sqrt((np.abs(moved_P) ** 2).sum()) < TOLERANCE:
            break
    return to_points(_unit(_as_shapes_stand(shapes_NP, there_NP, mean_P)))


def _spread(shapes_NP: Complex, there_NP: NDArray[np.bool_]) -> Floats:
    """The sum of squared distances from the centre of each shape, over the points that count."""
    return (np.abs(_centred(shapes_NP, there_NP)) ** 2).sum(1)


def _centred(shapes_NP: Complex, there_NP: NDArray[np.bool_]) -> Complex:
    """The shapes about their centres; 0 where a point does not count."""
    kept_NP = np.where(there_NP, shapes_NP, 0)
    centre_N1 = kept_NP.sum(1, keepdims=True) / np.maximum(there_NP.sum(1, keepdims=True), 1)
    return np.where(there_NP, kept_NP - centre_N1, 0)


def _aligned(shapes_NP: Complex, there_NP: NDArray[np.bool_], mean_P: Complex) -> Complex:
    """The shapes on the mean: whole ones at unit size and turned, others moved by the points that both have."""
    both_NP = there_NP & np.isfinite(mean_P)
    own_NP = _centred(shapes_NP, both_NP)
    goal_NP = _centred(np.broadcast_to(mean_P, shapes_NP.shape), both_NP)
    onto_N = (own_NP.conj() * goal_NP).sum(1)
    spread_N = (np.abs(own_NP) ** 2).sum(1)
    whole_N = both_NP.all(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        turn_N = onto_N / np.abs(onto_N)
        factor_N = np.where(whole_N, turn_N * np.sqrt(shapes_NP.shape[1] / spread_N), onto_N / spread_N)
        own_centre_N = np.where(both_NP, shapes_NP, 0).sum(1) / both_NP.sum(1)
        goal_centre_N = np.where(both_NP, mean_P, 0).sum(1) / both_NP.sum(1)
        moved_NP = factor_N[:, None] * (shapes_NP - own_centre_N[:, None]) + goal_centre_N[:, None]
    return np.where(there_NP & np.isfinite(moved_NP), moved_NP, np.nan)


def _mean(aligned_NP: Complex) -> Complex:
    """The mean of each point over the shapes that have it; NaN where none has."""
    there_NP = np.isfinite(aligned_NP)
    num_P = there_NP.sum(0)
    sum_P = np.where(there_NP, aligned_NP, 0).sum(0)
    return np.where(num_P > 0, sum_P / np.maximum(num_P, 1), np.nan)


def _unit(shape_P: Complex) -> Complex:
    """The shape about its centre, with a mean squared distance of 1 from it."""
    there_P = np.isfinite(shape_P)
    around_P = shape_P - shape_P[there_P].mean()
    return around_P / np.sqrt((np.abs(around_P[there_P]) ** 2).mean())


def _as_shapes_stand(shapes_NP: Complex, there_NP: NDArray[np.bool_], mean_P: Complex) -> Complex:
    """The mean turned by the average angle of the shapes."""
    both_NP = there_NP & np.isfinite(mean_P)
    goal_NP = np.where(both_NP, np.broadcast_to(mean_P, shapes_NP.shape), 0)
    onto_N = (_centred(shapes_NP, both_NP) * goal_NP.conj()).sum(1)  # from the mean to the shape
    sizes_N = np.abs(onto_N)
    turn = (onto_N[sizes_N > 0] / sizes_N[sizes_N > 0]).sum()
    return mean_P * (turn / abs(turn)) if abs(turn) > 1e-9 else mean_P
