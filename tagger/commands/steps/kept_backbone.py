"""The frozen backbone of a run, on whose features its heads were trained."""

from tagger.config import Settings
from tagger.model import Backbone, load_model, new_backbone
from tagger.runs import RunFolder


def kept_backbone(previous: RunFolder, settings: Settings) -> Backbone:
    """The backbone with its first weights. TaggerError if these are gone.

    A run of heads alone has them in its model; where networks were trained they come from where they came from.
    """
    if settings.train.epochs == 0:
        return load_model(previous.model_path, settings, len(previous.load_labels())).backbone
    return new_backbone(settings)
