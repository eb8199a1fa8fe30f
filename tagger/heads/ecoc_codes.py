"""Code matrices for error-correcting output codes: spectral, random, Gaussian and one-hot. Numpy only.

Rodriguez et al. 2018, "Beyond one-hot encoding" (chapter 6 of the thesis). A code has a row for each of K
labels and J columns, its bits: each bit divides the labels in two. ``data`` takes the bits from the labels'
similarity, the cheapest cut first: eigenvectors of the normalised Laplacian D^-1/2 (D - S) D^-1/2 (the
source prints D^1/2 on the left). All entries have a mean square of 1, as those of a code of -1 and 1 have.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.errors import TaggerError, did_you_mean
from tagger.heads.code_tables import TABLE_CODES

CODE_KINDS = ("data", "dense-random", "gaussian", "one-hot")
CODE_CHOICES = ("auto", *CODE_KINDS, *TABLE_CODES)
BINARISE_MODES = ("none", "zero", "median")
MAX_DRAWS = 1000  # of a dense random code; fewer where the matrices are large
BASE_SIMILARITY = 0.1  # share of the mean similarity that every pair of labels gets


def code_matrix(
    kind: str,
    num_labels: int,
    bits: int,
    *,
    binarise: str = "none",
    similarity_KK: Floats | None = None,
    seed: int = 0,
) -> Floats:
    """The code (K, J), float64: a row for each label, J = ``bits`` columns. The same arguments give the same
    code.

    ``data`` needs ``similarity_KK``; without it all labels are alike, and the bits are any orthogonal ones.
    ``one-hot`` gives label j bit j, and nothing to labels beyond the bits; it is there to compare with.
    TaggerError: an unknown word, or a number of bits that such a code cannot have.

    >>> code_matrix("one-hot", 3, 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> similar = np.array([[1, 0.9, 0.1], [0.9, 1, 0.1], [0.1, 0.1, 1]])
    >>> np.sign(code_matrix("data", 3, 1, similarity_KK=similar)).ravel().tolist() in ([1, 1, -1], [-1, -1, 1])
    True
    """
    check_code(kind, num_labels, bits, binarise=binarise)
    rng = np.random.default_rng([seed, num_labels, bits])
    if kind == "one-hot":
        return np.eye(num_labels)[:, :bits]
    if kind == "dense-random":
        return dense_random_code(num_labels, bits, rng=rng)
    if kind == "gaussian":
        return binarise_code(rng.standard_normal((num_labels, bits)), binarise)
    alike_KK = np.zeros((num_labels, num_labels)) if similarity_KK is None else similarity_KK
    return binarise_code(spectral_code(alike_KK, bits, rng=rng), binarise)


def check_code(kind: str, num_labels: int, bits: int, *, binarise: str = "none") -> None:
    """TaggerError, saying what to set instead, if there is no such code."""
    for what, word, known in (("code", kind, CODE_CHOICES), ("binarise", binarise, BINARISE_MODES)):
        if word not in known:
            raise TaggerError(
                f"head.{what} = {word!r}: there is no such thing.{did_you_mean(word, known)}"
                f" Available: {', '.join(known)}"
            )
    most = num_labels - 1 if kind == "data" else num_labels if kind == "one-hot" else None
    if most is not None and bits > most:
        raise TaggerError(
            f"head.bits = {bits}: the code {kind!r} of {num_labels} labels has at most {most} bits."
            " Set fewer, or head.bits=0 to have them chosen."
        )
    binary = kind == "dense-random" or (kind != "one-hot" and binarise != "none")
    least = int(np.ceil(np.log2(max(num_labels, 2)))) if binary else 1
    if bits < least:
        raise TaggerError(
            f"head.bits = {bits}: {num_labels} labels need at least {least} bits to have code words of their own"
            f" in a code of -1 and 1. Set more, or head.bits=0 to have them chosen."
        )


def auto_bits(kind: str, num_labels: int) -> int:
    """A number of bits that serves: all that ``data`` and ``one-hot`` can have, 10 log2(K) of a random code
    (Allwein).

    >>> auto_bits("data", 14), auto_bits("dense-random", 14)
    (13, 39)
    """
    if kind == "data":
        return max(num_labels - 1, 1)
    return num_labels if kind == "one-hot" else int(np.ceil(10 * np.log2(max(num_labels, 2))))


def dense_random_code(num_labels: int, bits: int, *, rng: np.random.Generator) -> Floats:
    """The least correlated of many draws (K, J) of -1 and 1 (Allwein et al. 2000).

    Least correlated: the largest absolute cosine between two rows, plus that between two columns, is
    smallest. Opposite rows count as correlated, as labels that exclude each other would have them.

    >>> code = dense_random_code(4, 6, rng=np.random.default_rng(0))
    >>> sorted(set(code.ravel().tolist())), len({tuple(row) for row in code})
    ([-1.0, 1.0], 4)
    """
    draws = int(np.clip(2e9 / (num_labels * bits * (num_labels + bits)), 20, MAX_DRAWS))
    best = _random_code_words(num_labels, bits, rng)
    lowest = np.inf
    for _ in range(draws):
        code_KJ = _random_code_words(num_labels, bits, rng)
        worst = _max_abs_cosine(code_KJ, bits) + _max_abs_cosine(code_KJ.T, num_labels)
        if worst < lowest:
            best = code_KJ
            lowest = worst
    return best.astype(np.float64)


def spectral_code(similarity_KK: Floats, bits: int, *, rng: np.random.Generator) -> Floats:
    """Eigenvectors 1 .. J of the normalised Laplacian of the labels' similarity (K, J), ordered by the cost of
    the cut.

    The one that cuts nothing (0) is left out. Each column has a mean square of 1. ``rng`` decides between
    cuts of the same cost. A label that is like no other is kept in the graph by a little similarity between
    all, which also keeps single labels from being cut off first (regularised spectral clustering, Amini et
    al. 2013, arXiv 1207.2340).
    """
    from scipy.linalg import eigh  # here, because predicting starts without it

    similarity_KK = connect_labels(similarity_KK)
    noise_KK = rng.standard_normal(similarity_KK.shape) * 1e-6 * similarity_KK.mean()
    _, vectors_KK = eigh(laplacian(similarity_KK + np.abs(noise_KK + noise_KK.T)), subset_by_index=[0, bits])
    return vectors_KK[:, 1:] * np.sqrt(len(similarity_KK))


def laplacian(similarity_KK: Floats) -> Floats:
    """D^-1/2 (D - S) D^-1/2 of a symmetric similarity S >= 0 with row sums D > 0.

    >>> laplacian(np.array([[0.0, 4.0], [4.0, 0.0]])).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    scale_K = 1 / np.sqrt(similarity_KK.sum(1))
    return np.diag(similarity_KK.sum(1) * scale_K**2) - similarity_KK * scale_K[:, None] * scale_K


def connect_labels(similarity_KK: Floats) -> Floats:
    """The similarity without self-similarity, and with a little between all labels: no label is alone.

    >>> connect_labels(np.zeros((2, 2))).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    others_KK = np.where(np.eye(len(similarity_KK), dtype=bool), 0.0, np.nan_to_num(similarity_KK))
    num_pairs = len(others_KK) * (len(others_KK) - 1)
    mean = others_KK.sum() / max(num_pairs, 1)
    joined_KK = others_KK + (BASE_SIMILARITY * mean if mean > 0 else 1.0)
    np.fill_diagonal(joined_KK, 0.0)
    return joined_KK


def binarise_code(code_KJ: Floats, how: str) -> Floats:
    """The code as it is (``none``), or -1 and 1: above ``zero``, or above each bit's ``median`` over the labels.

    The source's "median of the rows" counts bits as rows; halves of the labels for each bit is what it is
    good for.

    >>> binarise_code(np.array([[0.1], [0.2], [0.4], [0.9]]), "median").ravel().tolist()
    [-1.0, -1.0, 1.0, 1.0]
    """
    cut: dict[str, Callable[[Floats], NDArray[np.floating] | float]] = {
        "zero": lambda code: 0.0,
        "median": lambda code: np.median(code, axis=0),
    }
    return code_KJ if how == "none" else np.where(code_KJ > cut[how](code_KJ), 1.0, -1.0)


def _random_code_words(num_labels: int, bits: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Random rows of -1 and 1; different ones where by chance they might not be."""
    if bits > 20:
        return rng.integers(0, 2, (num_labels, bits)).astype(np.float32) * 2 - 1
    words_K = rng.choice(2**bits, num_labels, replace=False)
    return ((words_K[:, None] >> np.arange(bits)) % 2).astype(np.float32) * 2 - 1


def _max_abs_cosine(rows: NDArray[np.float32], length: int) -> float:
    """Between two different rows of -1 and 1."""
    cosines = np.abs(rows @ rows.T)
    np.fill_diagonal(cosines, 0)
    return float(cosines.max(initial=0)) / length
