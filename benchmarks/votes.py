"""Labels of several annotators as one: how many photos are right by the majority and by weighed votes.

    tagger train --data DATA --preset quick --run RUN --labels UNANIMOUS.csv ...
    python benchmarks/votes.py --votes votes.csv --truth truth.csv --run RUN

``votes.csv`` has ``file`` and a column an annotator with one label each; ``truth.csv`` has ``file`` and ``right``. The
run is one that was trained on the same photos, with labels unknown where annotators differ (``tagger data merge``).
A draw counts as a share. Intervals are of a bootstrap over photos.
"""

import argparse

import numpy as np
import pandas as pd

from data_tools.weigh_annotators import weigh_annotators
from tagger.arrays import NO
from tagger.runs import RunFolder
from tagger.runs.held_out import held_out_probs


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--votes", required=True)
    parser.add_argument("--truth", required=True)
    parser.add_argument("--run", required=True)
    options = parser.parse_args()
    run = RunFolder(options.run)
    images = run.load_images()
    votes = pd.read_csv(options.votes, dtype=str).set_index("file").loc[images["file"]]
    truth = pd.read_csv(options.truth, dtype=str).set_index("file")["right"].loc[images["file"]]
    names = sorted({label for column in votes for label in votes[column]})
    parts = [
        (
            images["file"].tolist(),
            names,
            (votes[column].to_numpy()[:, None] == np.array(names)).astype(np.int8),
        )
        for column in votes
    ]
    probs_NK = held_out_probs(run, images["hash"].tolist(), names)
    truth_N = truth.map(names.index).to_numpy()
    for title, way, probs in (
        ("majority", "majority", None), ("weighed votes", "reliability", None),
        ("weighed votes and model", "reliability", probs_NK),
    ):  # fmt: skip
        labels_NK = weigh_annotators(parts, annotators=list(votes.columns), way=way, probs_NK=probs).labels_NK
        possible_NK = labels_NK != NO
        right_N = possible_NK[np.arange(len(truth_N)), truth_N] / possible_NK.sum(axis=1)
        draws = np.random.default_rng(0).choice(right_N, (200, len(right_N))).mean(axis=1)
        low, high = 100 * np.quantile(draws, [0.025, 0.975])
        print(f"{title:24} {100 * right_N.mean():.1f} % right ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
