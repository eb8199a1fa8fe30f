"""Signal: implications between labels, mined or declared in labels.toml."""

import numpy as np

from tagger.arrays import NO, YES
from tagger.data import MinedRule, Rule, mine_rules
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.signals.base import Signal, signals


@signals.register("rules")
class MinedRules(Signal):
    """For the implied label where the premise is *yes*; against the premise where the implied label is *no*.

    Rules are mined from the labels; those of ``labels.toml`` count as followed by all but one in a thousand.
    """

    def __init__(self, evidence: Evidence, *, min_support: int = 10, min_confidence: float = 0.8):
        super().__init__(evidence)
        labels_NK = evidence.labels_NK
        names = evidence.names
        self.column = column = {name: k for k, name in enumerate(names)}
        mined = mine_rules(labels_NK, names, min_support=min_support, min_confidence=min_confidence)
        rules = {(rule.premise, rule.implied): rule for rule in mined}
        rules |= {(rule.premise, rule.implied): _as_mined_rule(rule) for rule in evidence.rules}
        self.for_yes_NK = np.zeros(labels_NK.shape, np.float32)
        self.rules_by_cell: dict[tuple[int, int], list[MinedRule]] = {}
        base_K = log_odds(evidence.priors_K)
        for rule in sorted(rules.values(), key=lambda rule: rule.confidence):
            premise = column[rule.premise]
            implied = column[rule.implied]
            self.rules_by_cell.setdefault((implied, YES), []).insert(0, rule)
            self.rules_by_cell.setdefault((premise, NO), []).insert(0, rule)
            strength = float(log_odds(np.array(rule.confidence), 1e-3))
            has_premise = labels_NK[:, premise] == YES
            lacks_implied = labels_NK[:, implied] == NO
            toward = self.for_yes_NK[:, implied]
            against = self.for_yes_NK[:, premise]
            toward[has_premise] = np.maximum(toward[has_premise], strength - base_K[implied])
            against[lacks_implied] = np.minimum(against[lacks_implied], -strength - base_K[premise])

    def reason(self, row: int, k: int) -> str:
        labels_K = self.evidence.labels_NK[row]
        column = self.column
        for rule in self.rules_by_cell.get((k, YES), []):
            if labels_K[column[rule.premise]] == YES:
                return f"It has `{rule.premise}`, and {_support_text(rule)} with `{rule.premise}` also have `{rule.implied}`"
        for rule in self.rules_by_cell.get((k, NO), []):
            if labels_K[column[rule.implied]] == NO:
                return f"It lacks `{rule.implied}`, and {_support_text(rule)} with `{rule.premise}` have it"
        return self._no_rule_reason(labels_K[k] == YES, k)

    def _no_rule_reason(self, given: bool, k: int) -> str:
        """What it means that no rule spoke: other images with, or without, the label have one that does."""
        name = f"`{self.evidence.names[k]}`"
        bring = [f"`{rule.premise}`" for rule in self.rules_by_cell.get((k, YES), [])]
        brought = [f"`{rule.implied}`" for rule in self.rules_by_cell.get((k, NO), [])]
        if bring and (given or not brought):
            return f"It has no label that brings {name}, such as {_first_three(bring)}"
        if brought:
            return f"It lacks nothing that {name} brings: {_first_three(brought)}"
        return f"No rule speaks about {name}"


def _as_mined_rule(rule: Rule) -> MinedRule:
    return MinedRule(rule.premise, rule.implied, 0, 0.999)


def _first_three(names: list[str]) -> str:
    return ", ".join(names[:3])


def _support_text(rule: MinedRule) -> str:
    """``34 of 36 images``; by the user's own rule, all."""
    if not rule.support:
        return "by your rule all images"
    return f"{rule.support:,} of {round(rule.support / rule.confidence):,} images"
