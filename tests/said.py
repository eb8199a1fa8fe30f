"""What a data set says, in a form that a test can compare."""

import numpy as np


def as_dict(dataset, value=1):
    """{file: names of the labels whose cell has this value}."""
    rows = zip(dataset.images["file"], dataset.labels_NK, strict=True)
    return {file: [dataset.labels[k] for k in np.flatnonzero(labels_K == value)] for file, labels_K in rows}
