"""Choose device and precision: one ``Accelerator``, made from the settings."""

from typing import Any

import torch
from accelerate import Accelerator

from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.model.torch_internals import reset_accelerate_state


def make_accelerator(settings: Settings) -> Accelerator:
    """accelerate's Accelerator for the device and precision that the settings name.

    It is the one code path to GPUs and to several processes (``torchrun``). TaggerError if the device is
    not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(settings.device, True):
        raise TaggerError(
            f"device = {settings.device!r}, but torch sees none. Use --set device=auto, or a torch built for it."
        )
    precision = pick_precision(settings)
    reset_accelerate_state()  # it keeps the first precision of a process
    return Accelerator(cpu=settings.device == "cpu", mixed_precision={"fp32": "no"}.get(precision, precision))


def pick_precision(settings: Settings) -> str:
    """``fp32``, ``bf16`` or ``fp16``: what was asked for, or with ``auto`` what the hardware computes fast.

    bf16 on a processor means that it has instructions for it (AVX-512 BF16 or AMX); emulated, it would be
    slower.
    """
    chosen = settings.train.precision
    if chosen != "auto":
        return chosen
    if settings.device != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if settings.device != "cpu" and torch.backends.mps.is_available():
        return "fp16"
    can: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # absent in older torch
    return "bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "fp32"
