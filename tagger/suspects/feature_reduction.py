"""Features as short unit vectors: standardised, then principal components."""

import mmap

import numpy as np

from tagger.arrays import Floats
from tagger.suspects.threads import parallel_for

NUM_COMPONENTS = 128
PCA_SAMPLE_SIZE = 20_000
CHUNK = 8192
SAMPLE_ROWS_PER_READ = 1024  # rows read at a time: beside each other, and far apart


def reduce_features(features_ND: Floats, *, seed: int = 0) -> Floats:
    """Unit vectors (N, at most 128), float32; the features are read in pieces and may be a mapped file.

    >>> reduce_features(np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])).shape
    (3, 2)
    """
    matrix_DC, offset_C = _projection(features_ND, seed)
    out_NC = np.empty((len(features_ND), len(offset_C)), np.float32)

    def project(start: int) -> None:
        chunk_NC = np.asarray(features_ND[start : start + CHUNK], dtype=np.float32) @ matrix_DC
        chunk_NC -= offset_C
        chunk_NC /= np.linalg.norm(chunk_NC, axis=1, keepdims=True) + 1e-12
        out_NC[start : start + CHUNK] = chunk_NC
        _release_pages(features_ND)

    parallel_for(project, range(0, len(features_ND), CHUNK))
    return out_NC


def _projection(features_ND: Floats, seed: int) -> tuple[Floats, Floats]:
    """(matrix (D, C), offset (C)): what standardising and the principal components of some images come to."""
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(seed)
    some = np.sort(rng.choice(len(features_ND), min(PCA_SAMPLE_SIZE, len(features_ND)), replace=False))
    sample_SD = np.empty((len(some), features_ND.shape[1]), np.float32)
    for start in range(
        0, len(some), SAMPLE_ROWS_PER_READ
    ):  # far apart, so that each brings its neighbourhood in the file along
        sample_SD[start : start + SAMPLE_ROWS_PER_READ] = features_ND[
            some[start : start + SAMPLE_ROWS_PER_READ]
        ]
        _release_pages(features_ND)
    mean_D = sample_SD.mean(axis=0)
    scale_D = sample_SD.std(axis=0) + 1e-6
    sample_SD -= mean_D
    sample_SD /= scale_D
    tall = sample_SD.shape[0] > sample_SD.shape[1]
    solver = {"svd_solver": "covariance_eigh"} if tall else {"svd_solver": "randomized", "random_state": seed}
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # shares of a variance of 0, where all images look the same
        pca = PCA(min(NUM_COMPONENTS, *sample_SD.shape), **solver).fit(sample_SD)
    matrix_DC = pca.components_.T / scale_D[:, None]
    return matrix_DC, mean_D @ matrix_DC + pca.mean_ @ pca.components_.T


def _release_pages(features_ND: Floats) -> None:
    """Pages of a mapped file that were read count as ours until somebody needs the memory; we are done with them."""
    mapped = getattr(features_ND, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
