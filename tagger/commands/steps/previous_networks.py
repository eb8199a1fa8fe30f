"""The networks of the previous run that a retraining starts from.

Their columns are matched with the current labels in ``training/retraining/warm_start.py``.
"""

from tagger.arrays import Floats
from tagger.commands.console.screen import Screen
from tagger.commands.steps.kept_backbone import kept_backbone
from tagger.commands.steps.retrain_inputs import RetrainInputs
from tagger.config import Settings
from tagger.model import TagModel, load_model, new_backbone
from tagger.review import vocabulary_after
from tagger.training.retraining.warm_start import WarmStart, remap_head_labels


def load_warm_start(inputs: RetrainInputs, settings: Settings, priors_K: Floats, screen: Screen) -> WarmStart:
    """The networks of the previous run, with a column for each current label; new labels get new columns."""
    previous = inputs.previous
    num_labels = len(previous.load_labels())
    now = vocabulary_after(previous.load_labels(), inputs.corrected.operations)
    columns = [now.run_column(name) if name in now.names else None for name in inputs.names]

    def fold_model(stem: str) -> TagModel | None:
        path = previous.fold_models_path / f"{stem}.safetensors"
        if not path.is_file():
            return None
        model = load_model(path, settings, num_labels)
        attention = model.attention.remap_labels(columns, priors_K) if model.attention else None
        glimpses = model.glimpses.remap_labels(columns) if model.glimpses else None
        head = remap_head_labels(model.head, columns, priors_K, settings)
        return TagModel(model.backbone, head, attention, glimpses=glimpses)

    if settings.train.epochs and not any(previous.fold_models_path.glob("*.safetensors")):
        screen.say(
            f"{previous.path} has no networks in {previous.fold_models_path.name}: this training starts from the"
            " same initial weights as that run."
        )
        new_backbone(settings)  # a file that is gone shows at once
    return WarmStart(fold_model, lambda: kept_backbone(previous, settings))
