"""Signal: implications between labels, mined or declared in labels.toml."""

from collections.abc import Sequence

import numpy as np

from tagger.arrays import NO, YES, Cells, Floats
from tagger.data import MinedRule, Rule, mine_rules
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.signals.base import Signal, signals


@signals.register("rules")
class MinedRules(Signal):
    """Evidence for the implied label where the premise is *yes*, and against the premise where the implied is *no*.

    Rules are mined from the labels; those of ``labels.toml`` count as followed by all but one in a thousand.
    """

    of_other_labels = True

    def __init__(self, evidence: Evidence, *, min_support: int = 10, min_confidence: float = 0.8):
        super().__init__(evidence)
        labels_NK = evidence.labels_NK
        names = evidence.names
        self.column = column = {name: k for k, name in enumerate(names)}
        mined = mine_rules(labels_NK, names, min_support=min_support, min_confidence=min_confidence)
        rules = {(rule.premise, rule.implied): rule for rule in mined}
        rules |= {(rule.premise, rule.implied): _as_mined_rule(rule) for rule in evidence.rules}
        self._rules = sorted(rules.values(), key=lambda rule: rule.confidence)
        self._rules_of: dict[int, list[int]] = {}  # places of the rules that are about a label
        self.rules_by_cell: dict[tuple[int, int], list[MinedRule]] = {}
        for place, rule in enumerate(self._rules):
            for name in (rule.premise, rule.implied):
                self._rules_of.setdefault(column[name], []).append(place)
            self.rules_by_cell.setdefault((column[rule.implied], YES), []).insert(0, rule)
            self.rules_by_cell.setdefault((column[rule.premise], NO), []).insert(0, rule)
        self._base_K = log_odds(evidence.priors_K)
        self.for_yes_NK = self._evidence_of(labels_NK, self._rules)

    def gain(self, before_K: Cells, after_K: Cells) -> Floats:
        """What ``for_yes_NK`` of an image gains (K) when its labels change."""
        changed = np.flatnonzero(before_K != after_K).tolist()
        about = {place for k in changed for place in self._rules_of.get(k, [])}
        names = {name for place in about for name in (self._rules[place].premise, self._rules[place].implied)}
        places = sorted({place for name in names for place in self._rules_of[self.column[name]]})
        both_2K = self._evidence_of(np.stack([before_K, after_K]), [self._rules[place] for place in places])
        return np.asarray(both_2K[1] - both_2K[0])

    def _evidence_of(self, labels_NK: Cells, rules: Sequence[MinedRule]) -> Floats:
        """``for_yes_NK`` of images with these labels, by these rules, the weakest first."""
        for_yes_NK = np.zeros(labels_NK.shape, np.float32)
        for rule in rules:
            premise, implied = self.column[rule.premise], self.column[rule.implied]
            strength = float(log_odds(np.array(rule.confidence), 1e-3))
            has_premise = labels_NK[:, premise] == YES
            lacks_implied = labels_NK[:, implied] == NO
            toward = for_yes_NK[:, implied]
            against = for_yes_NK[:, premise]
            toward[has_premise] = np.maximum(toward[has_premise], strength - self._base_K[implied])
            against[lacks_implied] = np.minimum(against[lacks_implied], -strength - self._base_K[premise])
        return for_yes_NK

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
