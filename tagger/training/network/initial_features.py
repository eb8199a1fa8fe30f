"""Features of the training images by the network as it is before its first step.

A code of labels that exclude each other is made from what their images look like. From random weights there
are no cached features; those of the untrained network tell colours and textures apart, which is more than nothing.
The whole set is read once, at a third of an epoch's cost or less.
"""

import torch
from torch import Tensor

from tagger.batches import check_readable, make_loader
from tagger.config import Settings
from tagger.model import Backbone
from tagger.training.inference import predict_in_order
from tagger.training.network.fit_task import FitTask


def initial_features(backbone: Backbone, task: FitTask, settings: Settings) -> Tensor:
    """Features (R, D), float32, of the rows to train on; the network and torch's generator stay as they are."""
    was_training = backbone.training
    loader = make_loader(
        task.images, task.rows, batch_size=settings.train.batch_size, workers=settings.image.num_workers
    )
    batches = (check_readable(batch, task.images.files) for batch in loader)
    with torch.random.fork_rng(devices=[]):
        found_RD = predict_in_order(backbone.eval(), batches, device=torch.device("cpu"))
    backbone.train(was_training)
    return torch.from_numpy(found_RD)
