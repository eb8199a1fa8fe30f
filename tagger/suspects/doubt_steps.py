"""Moves of a cell's doubt: the change of its log-odds without each signal or step, all else kept.

Learnt signals act through one rising curve, so that what each takes away can be read off it; what a step
after them added (copies, declared rules, one label of a group) is the difference that the step made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Floats, Indices, logit
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.label_noise import true_label_probs

ONE_OF_GROUP = "one_of_group"  # the step, not a signal


@dataclass(frozen=True)
class SignalContribution:
    """What a signal adds towards *yes*, compared with the label's mean image: its evidence times a learnt weight."""

    for_yes_NK: Floats
    mean_K: Floats
    weight_K: Floats

    def nats(self, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> Floats:
        """Of some cells."""
        return self.weight_K[columns] * (self.for_yes_NK[rows, columns] - self.mean_K[columns])


@dataclass(frozen=True)
class DoubtSteps:
    """What ``combine_signals`` went through.

    ``given_NK``: probability of being given *yes* by the learnt signals, with which noise rates it was read.
    ``others_least_K``: from where on other labels no longer speak against a missing one (nats of their sum);
    ``others_silent``: nor for it. ``of_others``: the signals whose sum that is. ``before``: the doubts before a
    step, by its name.
    """

    given_NK: Floats
    rates: tuple[float, Floats]
    of_others: Sequence[str]
    others_least_K: Floats
    others_silent: bool
    before: Mapping[str, Floats]

    def moved(
        self,
        evidence: Evidence,
        doubt_NK: Floats,
        signals: Mapping[str, SignalContribution],
        rows: NDArray[np.integer],
        columns: NDArray[np.integer],
    ) -> dict[str, Floats]:
        """How far each signal or step moved the doubt up, by cell, in nats."""
        no_C = evidence.labels_NK[rows, columns] == NO
        toward_C = np.where(no_C, 1.0, -1.0)
        added: dict[str, Floats] = {
            name: part.nats(rows, columns).astype(np.float64) for name, part in signals.items()
        }
        others = [signals[name] for name in self.of_others]
        sum_C = np.sum([one.weight_K[columns] * one.for_yes_NK[rows, columns] for one in others], axis=0)
        for name in self.of_others:
            added[name] = np.where(no_C, self._held_back(added[name], sum_C, columns), added[name])
        logits_C = log_odds(self.given_NK[rows, columns], 1e-5).astype(np.float64)
        true_C = self._true_log_odds(logits_C, columns)
        out: dict[str, Floats] = {}
        for name, part in added.items():
            step_C = part if name == "duplicates" else true_C - self._true_log_odds(logits_C - part, columns)
            out[name] = toward_C * (step_C + part) / 2
        after = doubt_NK
        for name in reversed(list(self.before)):
            before_C, after_C = (
                doubts[rows, columns].astype(np.float64) for doubts in (self.before[name], after)
            )
            out[name] = out.get(name, 0) + np.nan_to_num(logit(after_C, 1e-6) - logit(before_C, 1e-6))
            after = self.before[name]
        return out

    def _true_log_odds(self, logits_C: Floats, columns: NDArray[np.integer]) -> Floats:
        false_negative_rate, false_positive_rate_K = self.rates
        given_C = 1 / (1 + np.exp(-logits_C))
        return log_odds(true_label_probs(given_C, false_negative_rate, false_positive_rate_K[columns]), 1e-5)

    def _held_back(self, nats_C: Floats, sum_C: Floats, columns: NDArray[np.integer]) -> Floats:
        """What a signal of other labels adds to a missing one, where they count within their bounds only."""
        if self.others_silent:
            return np.zeros_like(nats_C)
        least_C = self.others_least_K[columns]
        return np.asarray(np.maximum(sum_C, least_C) - np.maximum(sum_C - nats_C, least_C))


def one_of_reason(evidence: Evidence, doubt_NK: Floats, row: int, k: int, group: Indices) -> str:
    """The sentence for a cell that the other labels of its group moved: a photo has one of them."""
    name = f"`{evidence.names[k]}`"
    given = evidence.labels_NK[row]
    others = [other for other in group.tolist() if other != k]
    if given[k] == YES:
        likeliest = max(others, key=lambda other: np.nan_to_num(doubt_NK[row, other]))
        return f"Photos have one of these labels, and `{evidence.names[likeliest]}` looks likelier here than {name}"
    had = [f"`{evidence.names[other]}`" for other in others if given[other] == YES]
    return f"Photos have one of these labels, and {' and '.join(had) or 'the given one'} looks wrong here"


def broken_group(evidence: Evidence, row: int, k: int) -> str:
    """The sentence for a label of a declared group of which the image has several; empty where it has not."""
    for group in evidence.groups.values():
        if group["kind"] != "multi" and evidence.names[k] in group["labels"]:
            columns = [evidence.names.index(name) for name in group["labels"]]
            had = [f"`{evidence.names[j]}`" for j in columns if evidence.labels_NK[row, j] == YES]
            if len(had) > 1 and evidence.labels_NK[row, k] == YES:
                return (
                    f"This photo has {', '.join(had[:-1])} and {had[-1]}, and it can have one of them at most"
                )
    return ""


def nothing_speaks(name: str, *, given_yes: bool, share: float) -> str:
    """The sentence for a cell whose doubt no signal raised: what is known is how many like it are wrong.

    >>> nothing_speaks("angry", given_yes=True, share=0.42)
    'No signal stands out against `angry` in this photo, but about 4 in 10 `angry` labels look wrong'
    """
    tenths = round(10 * share)
    if given_yes:
        rate = f", but about {tenths} in 10 `{name}` labels look wrong" if tenths else ""
        return f"No signal stands out against `{name}` in this photo{rate}"
    return f"No signal stands out for `{name}` in this photo" + (
        f", but about {tenths} in 10 photos without it seem to lack it" if tenths else ""
    )
