"""Signal: implications between labels, mined or declared in labels.toml."""

import numpy as np

from tagger.arrays import NO, YES, Cells
from tagger.data import MinedRule, Rule, mine_rules
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.signals.base import Signal, signals


@signals.register("rules")
class MinedRules(Signal):
    """Evidence for the implied label where the premise is *yes*, and against the premise where the implied is *no*.

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
                premise = f"`{rule.premise}`"
                return f"This photo has {premise}, and {_support_text(rule, f'with {premise} also')} `{rule.implied}`"
        for rule in self.rules_by_cell.get((k, NO), []):
            if labels_K[column[rule.implied]] == NO:
                return f"This photo lacks `{rule.implied}`, and {_support_text(rule, f'with `{rule.premise}`')} it"
        return self._no_rule_reason(labels_K, k)

    def _no_rule_reason(self, labels_K: Cells, k: int) -> str:
        """The sentence for a cell where no rule applies: that is what sets it apart from other photos."""
        name = f"`{self.evidence.names[k]}`"
        premises = [f"`{rule.premise}`" for rule in self.rules_by_cell.get((k, YES), [])]
        implied = [rule.implied for rule in self.rules_by_cell.get((k, NO), [])]
        if premises and (labels_K[k] == YES or not implied):
            return f"This photo has none of the labels that usually come with {name}, such as {_first_three(premises)}"
        if present := [f"`{other}`" for other in implied if labels_K[self.column[other]] == YES]:
            return f"This photo has what photos with {name} usually have: {_first_three(present)}"
        return f"No rule is about {name}"


def _as_mined_rule(rule: Rule) -> MinedRule:
    return MinedRule(rule.premise, rule.implied, 0, 0.999)


def _first_three(names: list[str]) -> str:
    return ", ".join(names[:3])


def _support_text(rule: MinedRule, which: str) -> str:
    """``34 of 36 photos with `car` also have``; by the user's own rule, every photo has.

    >>> _support_text(MinedRule("car", "sea", 9, 0.9), "with `car`")
    '9 of 10 photos with `car` have'
    """
    if not rule.support:
        return f"by your rule every photo {which} has"
    return f"{rule.support:,} of {round(rule.support / rule.confidence):,} photos {which} have"
