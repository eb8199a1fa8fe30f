"""The thresholds of a run: its own decision rule, and the sets that a person saved beside it."""

import json
import re
from collections.abc import Mapping

from tagger.errors import TaggerError, did_you_mean
from tagger.runs.atomic import write_text
from tagger.runs.base_folder import ArtifactFolder, reads
from tagger.scoring import Calibration, Thresholds


class ThresholdFiles(ArtifactFolder):
    """The part of a run folder that holds thresholds: ``thresholds.json`` and ``thresholds/NAME.json``."""

    def save_decision_rule(
        self, thresholds: Thresholds, calibration: Calibration, names: tuple[str, ...]
    ) -> None:
        """``thresholds.json``: per label the threshold (on the calibrated probability), how, interval, and curve."""
        tree = thresholds.to_json()
        for name, row, curve in zip(names, tree["labels"], calibration.to_json(), strict=True):
            row.update(label=name, calibration=curve)
        self._save_json("thresholds.json", tree)

    @reads("thresholds.json")
    def load_decision_rule(self) -> tuple[Thresholds, Calibration]:
        """The thresholds and the calibration that precedes them."""
        tree = json.loads(self._read("thresholds.json"))
        return Thresholds.from_json(tree), Calibration.from_json(
            [row["calibration"] for row in tree["labels"]]
        )

    def save_threshold_set(self, name: str, values: Mapping[str, float]) -> None:
        """``thresholds/NAME.json``: label -> threshold, chosen by hand. TaggerError for a name that is no file name."""
        if not re.fullmatch(r"\w[\w .-]{0,59}", name) or name.endswith((".", " ")):
            raise TaggerError(
                f"{name!r} is no name for a threshold set: use up to 60 letters, digits, spaces, - and _."
            )
        text = json.dumps({"thresholds": dict(values)}, indent=1, ensure_ascii=False, allow_nan=False)
        write_text(self.path / "thresholds" / f"{name}.json", text)

    @reads("thresholds")
    def load_threshold_set(self, name: str) -> dict[str, float]:
        """What ``save_threshold_set`` wrote; TaggerError, with the nearest name, if there is no such set."""
        known = self.threshold_sets()
        if name not in known:
            raise TaggerError(
                f"{self.path}: no threshold set {name!r}.{did_you_mean(name, known)}"
                f" Available: {', '.join(known) or 'none; save one on the Overview page of tagger review'}"
            )
        return dict(json.loads(self._read(f"thresholds/{name}.json"))["thresholds"])

    def threshold_sets(self) -> list[str]:
        """The names of the threshold sets that were saved beside the run's own, sorted."""
        return sorted(path.stem for path in (self.path / "thresholds").glob("*.json"))
