"""A finished run without the seconds of a training: random weights, made-up thresholds, three photos."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from small import options

from tagger.data import LabelGroup, Rule
from tagger.heads import HeadEnsemble
from tagger.model import TagModel, new_attention, new_backbone, new_glimpses, new_head, save_model
from tagger.presets import load_settings
from tagger.runs import RunFolder
from tagger.scoring import Calibration, Thresholds
from tagger.scoring.calibration import PlattParams
from tagger.scoring.label_constraints import ExclusiveGroup
from tagger.scoring.thresholds import LabelThreshold

NAMES = ('café, "au" lait', "a|b", "雪\nline", "<x>&amp;", "old", "young")
AGES: dict[str, LabelGroup] = {"age": LabelGroup(kind="ordinal", labels=["young", "old"])}


def make_run(
    folder: Path,
    *more: str,
    backbone: str = "test_resnet",
    members: int = 1,
    groups: dict[str, LabelGroup] | None = None,
) -> RunFolder:
    """A finished run of random weights and three photos, without the seconds of a training."""
    rng, run = np.random.default_rng(0), RunFolder(folder / "run")
    (folder / "photos").mkdir()
    for number, shape in enumerate([(40, 60, 3), (32, 32, 3), (70, 50, 3)]):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / "photos" / f"{number}.png")
    chosen = [
        f"backbone.name={backbone}",
        "backbone.weights=none",
        f"data.path={folder / 'photos'}",
        *options(),
        *more,
    ]
    run.save_settings(made := load_settings("quick", chosen))
    torch.manual_seed(0)
    trunk = new_backbone(made)
    heads = [new_head(trunk.num_features, len(NAMES), made) for _ in range(members)]
    columns = [NAMES.index(name) for name in ("young", "old")]
    for head in heads:
        head.fit_standardisation(torch.randn(20, trunk.num_features))
        if groups:
            number_K, none_K = np.full(len(NAMES), -1), np.zeros(len(NAMES), dtype=bool)
            number_K[columns], none_K[columns] = 0, True
            head.set_groups(number_K, none_K)
    attention = new_attention(trunk, len(NAMES), made)
    glimpses = new_glimpses(trunk, len(NAMES), made)
    for parameter in glimpses.parameters() if glimpses is not None else ():
        torch.nn.init.normal_(parameter, std=0.2)
    head = HeadEnsemble(heads) if members > 1 else heads[0]
    save_model(TagModel(trunk, head, attention, glimpses=glimpses), run.model_path)
    params = [PlattParams(float(rng.uniform(0.5, 2)), float(rng.normal()), "platt") for _ in NAMES]
    found = (ExclusiveGroup("age", tuple(columns), False, True),) if groups else ()
    for k in columns if groups else ():
        params[k] = PlattParams(1.5, 0.0, "temperature of its group")
    rules = (Rule("a|b", "old"), Rule("<x>&amp;", "a|b"))
    run.save_labels(NAMES, groups or {}, rules)
    rows = tuple(LabelThreshold(float(rng.uniform(0.3, 0.7)), "own", None, None, 9) for _ in NAMES)
    run.save_decision_rule(Thresholds(rows, 0.5, "f1"), Calibration(tuple(params), found), NAMES)
    run.save_images(pd.DataFrame({"file": ["0.png", "gone.png", "1.png", "2.png"]}))
    run.finish({})
    return run


def photos_of(run: RunFolder) -> list[Path]:
    """The photos of ``make_run``."""
    return sorted((run.path.parent / "photos").iterdir())
