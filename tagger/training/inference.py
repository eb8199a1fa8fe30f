"""Run a network over batches: features or logits, averaged over test-time views.

On a CPU each core takes whole batches (``thread_map``), in pieces of ``CPU_CHUNK_SIZE`` images.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagger.batches import BatchSequence, ImageBatch
from tagger.model import TagModel
from tagger.training.thread_map import thread_map

ForwardFn = Callable[[TagModel, Tensor], Tensor]  # logits, features or the like of a batch of images

CPU_CHUNK_SIZE = 16  # images: a CPU is no faster with more, and they would not fit its caches


class BatchOutputs(NamedTuple):
    """A batch's results: outputs_VBX (float32, one row a view), its dataset rows, and why an image was unreadable."""

    outputs_VBX: NDArray[np.float32]
    indices_B: NDArray[np.int64]
    reasons: list[str | None]


def run_batches(
    call: Callable[[Tensor], Tensor],
    loader: Iterable[ImageBatch] | BatchSequence,
    *,
    device: torch.device,
    precision: str = "fp32",
    tta_hflip: bool = False,
) -> Iterator[BatchOutputs]:
    """``call`` on each batch of images (float 0..1, channels-last) and, with ``tta_hflip``, on their mirror
    images.

    On a processor ``call`` runs in several threads at once, and a ``BatchSequence`` is decoded there too.
    """
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)

    def of_views(images: Tensor) -> Tensor:
        views = (images, images.flip(-1)) if tta_hflip else (images,)
        return torch.stack([call(view).float() for view in views])

    def outputs_of(item: ImageBatch | int) -> BatchOutputs:
        batch = loader[item] if isinstance(item, int) else item  # type: ignore[index]  # an int is the number of a batch
        parts = batch.images_BCHW.split(CPU_CHUNK_SIZE) if device.type == "cpu" else (batch.images_BCHW,)
        with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            outputs = torch.cat([of_views(to_float(part, device)) for part in parts], dim=1)
        return BatchOutputs(outputs.cpu().numpy(), batch.indices_B.numpy(), batch.reasons)

    items: Iterable[ImageBatch | int] = range(len(loader)) if isinstance(loader, BatchSequence) else loader
    return thread_map(outputs_of, items, workers=None if device.type == "cpu" else 1)


def to_float(images_BCHW: Tensor, device: torch.device) -> Tensor:
    """uint8 images as float 0..1 on the device, in the memory order that convolutions like."""
    images = images_BCHW.to(device, non_blocking=True, memory_format=torch.channels_last)
    return images.float().div_(255.0)


def predict_in_order(
    call: Callable[[Tensor], Tensor],
    loader: Iterable[ImageBatch],
    *,
    device: torch.device,
    precision: str = "fp32",
    tta_hflip: bool = False,
) -> NDArray[np.float32]:
    """What ``call`` gives (logits, features), views averaged, one row an image in the loader's order."""
    results = run_batches(call, loader, device=device, precision=precision, tta_hflip=tta_hflip)
    return np.concatenate([outputs.outputs_VBX.mean(0) for outputs in results])


def predict(
    call: Callable[[Tensor], Tensor],
    loader: Iterable[ImageBatch],
    num_images: int,
    *,
    device: torch.device,
    precision: str = "fp32",
    tta_hflip: bool = False,
) -> NDArray[np.float32]:
    """What ``call`` gives (logits, features), views averaged, as (num_images, ...); rows not in the loader stay NaN."""
    results: NDArray[np.float32] | None = None
    for outputs in run_batches(call, loader, device=device, precision=precision, tta_hflip=tta_hflip):
        if results is None:
            results = np.full((num_images, outputs.outputs_VBX.shape[-1]), np.nan, dtype=np.float32)
        results[outputs.indices_B] = outputs.outputs_VBX.mean(0)
    assert results is not None, "no batch to predict on"
    return results
