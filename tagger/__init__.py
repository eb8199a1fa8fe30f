"""Fine-tune an image tagger on imperfect multi-label annotations; find the wrong labels; learn from their
correction.

The names a program needs, loaded on first use so that ``import tagger`` stays cheap (no torch):

    run = tagger.train("images/", preset="quick")       # a finished run
    model = tagger.load(run)                            # or tagger.load("runs/2026-11-20-1405-mobilenetv2")
    table = model.predict(["a.jpg", "b.jpg"])           # file, labels, one probability column per label
    tagger.evaluate("other/", run)                      # metrics on other labelled images
    tagger.find_suspects(run)                           # the labels most likely wrong
    better = tagger.retrain(run)                        # learns from the decisions taken in ``tagger review``
    tagger.compare(run, better)                         # both on test images that neither has trained on
    tagger.explain_images("a.jpg", run=run)             # pictures of where the model sees the labels
    tagger.export(run, "tagger.onnx")                   # the model for other programs
    dataset = tagger.read_dataset("images/")            # images, labels and everything wrong with them

Shape suffixes of array and tensor names, everywhere in the package: B batch, N images, K labels, D features,
T tokens, C channels, H W pixels. K's order is the run's ``labels.json``; N's is its ``images.parquet``.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_LAZY_NAMES = {
    "train": "tagger.commands.train",
    "load": "tagger.commands.serving.predictor",
    "predict": "tagger.commands.predict",
    "evaluate": "tagger.commands.evaluate",
    "find_suspects": "tagger.commands.suspects:suspects",
    "retrain": "tagger.commands.retrain",
    "compare": "tagger.commands.compare",
    "apply": "tagger.commands.apply",
    "explain_images": "tagger.commands.explain",
    "export": "tagger.commands.export",
    "read_dataset": "tagger.data",
    "TaggerError": "tagger.errors",
}
__all__ = [*_LAZY_NAMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY_NAMES:
        raise AttributeError(f"module 'tagger' has no attribute {name!r}")
    module, _, attribute = _LAZY_NAMES[name].partition(":")
    return getattr(import_module(module), attribute or name)
