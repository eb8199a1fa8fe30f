"""A timm network behind one interface: images to feature maps and one pooled vector.

The head sees the average of several levels, not of the last one only: on held-out real photos with a frozen
mobilenetv2 the last three levels gave mAP .680, the last alone .663 (docs/results.md).
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import getproxies

import timm
import torch
from huggingface_hub import try_to_load_from_cache
from torch import Tensor, nn
from torch.nn import functional

from tagger.errors import TaggerError, did_you_mean
from tagger.model.finite_weights import check_finite_weights
from tagger.model.run_weights import is_run_model, load_run_backbone

# Arguments of timm.create_model that name weights: with one of them in its config.toml, a run from
# elsewhere would fetch from any address as soon as it is opened.
_WEIGHT_OPTIONS = ("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir")


class Backbone(nn.Module):
    """A timm network without its classifier.

    ``forward_maps`` gives the feature maps, first to last, as (B, C, h, w); ``forward`` the vector
    (B, ``num_features``) that a head reads: the average of each of the last ``levels - 1`` maps, then the
    network's own pooled output. Input is RGB in 0..1; the normalisation that the weights want happens inside,
    so that an exported model carries it. Images of another side than ``view_size``, if it is given, are shrunk to
    it first: the large images of glimpses.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: Any, *, levels: int = 1, view_size: int | None = None):
        super().__init__()
        self.net = net
        self.view_size = view_size
        cfg = net.pretrained_cfg
        self.register_buffer("mean", torch.tensor(cfg["mean"]).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(cfg["std"]).view(1, -1, 1, 1), persistent=False)
        self.levels, channels = self._find_levels(levels) if levels > 1 else ([], [])
        self.num_features = sum(channels) + net.head_hidden_size

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Pooled features (B, num_features), float32."""
        return self.pool(*self.forward_maps(images_BCHW))

    def forward_maps(self, images_BCHW: Tensor) -> tuple[list[Tensor], Tensor]:
        """The maps (B, C, h, w) of the levels before the last, and the network's last features in timm's own shape."""
        by_index, last = self.forward_intermediates(images_BCHW, self.levels)
        return [by_index[index] for index in self.levels], last

    def forward_intermediates(
        self, images_BCHW: Tensor, indices: list[int]
    ) -> tuple[dict[int, Tensor], Tensor]:
        """The maps (B, C, h, w) of these (rising) indices, and the last features in timm's own shape."""
        x = (shrink_images(images_BCHW, self.view_size) - self.mean) / self.std
        if not indices:
            return {}, self.net.forward_features(x)
        last, maps = self.net.forward_intermediates(x, indices=indices)
        return dict(zip(indices, maps, strict=True)), last

    def forward_patches(self, patches_BCHW: Tensor, index: int) -> Tensor:
        """The mean (B, C) over the places of map ``index``, float32, of small images that are not shrunk.

        The network is in evaluation mode meanwhile: a few patches have no statistics of their own, and what acts on
        its maps in training is meant for whole images.
        """
        x = (patches_BCHW - self.mean) / self.std
        with self.evaluating():
            (map_BCHW,) = self.net.forward_intermediates(
                x, indices=[index], stop_early=True, intermediates_only=True
            )
        return map_BCHW.float().mean((2, 3))  # type: ignore[no-any-return]

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Context manager: all modules in evaluation mode; then each as it was."""
        learning = [module for module in self.modules() if module.training]
        for module in learning:
            module.training = False
        try:
            yield
        finally:
            for module in learning:
                module.training = True

    def pool(self, maps: list[Tensor], last: Tensor) -> Tensor:
        """One vector an image (B, num_features) of what ``forward_maps`` gave."""
        parts = [m.float().mean((2, 3)) for m in maps]
        return torch.cat([*parts, self.net.forward_head(last, pre_logits=True).float()], dim=1)

    def stages(self) -> list[list[str]]:
        """Parameter names (of ``self.net``) by stage, from the input on; freezing and layer-wise rates go by these."""
        groups = timm.models.group_parameters(self.net, self.net.group_matcher(coarse=True), reverse=True)
        stages: dict[int, list[str]] = {}
        for parameter, group in groups.items():
            stages.setdefault(group, []).append(parameter)
        return [stages[group] for group in sorted(stages)]

    def _find_levels(self, levels: int) -> tuple[list[int], list[int]]:
        """Indices and channels of the last ``levels - 1`` maps, found by one small forward pass.

        A last map whose mean is just what the network's own head gives would be counted twice, so it is
        left out.
        """
        _, maps, pooled = self.probe()
        means = [m.mean((2, 3)) for m in maps]
        new = [mean.shape != pooled.shape or not torch.allclose(mean, pooled, atol=1e-5) for mean in means]
        known = [i for i, is_new in enumerate(new) if is_new]
        chosen = known[-(levels - 1) :]
        return chosen, [means[i].shape[1] for i in chosen]

    def probe(self) -> tuple[Tensor, list[Tensor], Tensor]:
        """(last features, all maps, the network's own pooled features) of one small image of noise.

        TaggerError if timm gives no intermediate features of it.
        """
        training = self.net.training
        self.net.eval()
        size = getattr(getattr(self.net, "patch_embed", None), "img_size", None) or (64, 64)
        try:
            with torch.no_grad():
                noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)).to(self.mean)
                last, maps = self.net.forward_intermediates(noise)
                pooled = self.net.forward_head(last, pre_logits=True)
            if any(m.ndim != 4 for m in maps):
                raise NotImplementedError("maps without places")
            return last, maps, pooled
        except Exception:  # whatever a network of timm's thousand does with it
            raise TaggerError(
                f"backbone {type(self.net).__name__} gives no intermediate features: use --set backbone.levels=1"
                " and --set attention.depth=0"
            ) from None
        finally:
            self.net.train(training)


def shrink_images(images_BCHW: Tensor, size: int | None) -> Tensor:
    """The images at ``size`` x ``size`` pixels, antialiased; as they are if they have that size, or it is None.

    >>> shrink_images(torch.ones(1, 3, 8, 8), 4).shape
    torch.Size([1, 3, 4, 4])
    """
    if size is None or images_BCHW.shape[-1] == size:
        return images_BCHW
    return functional.interpolate(
        images_BCHW, size=(size, size), mode="bilinear", antialias=True, align_corners=False
    )


def make_backbone(
    name: str, weights: str, *, size: int, levels: int, shrinks: bool = False, **options: Any
) -> Backbone:
    """A backbone with pretrained weights from timm's ``hub``, random ones (``none``), or those of a file.

    With ``shrinks`` it takes larger images than ``size`` too, and shrinks them. ``options`` go to
    ``timm.create_model``. TaggerError: unknown name (with the nearest), no network, weights of another architecture
    or not finite, an option the network does not take, or one that names weights too.
    """
    if taken := [f"backbone.{key}" for key in options if key in _WEIGHT_OPTIONS]:
        raise TaggerError(
            f"{', '.join(taken)}: where weights come from is said by backbone.weights alone. Remove it"
        )
    if not timm.is_model(name):
        hint = did_you_mean(name, timm.list_models()) or " timm.list_models() names all."
        raise TaggerError(f"Unknown backbone {name!r}.{hint}")
    if weights == "hub":
        _check_hub_reachable(name)
    chosen: dict[str, Any] = {"num_classes": 0, "pretrained": weights != "none", **options}
    own = weights not in ("hub", "none") and is_run_model(Path(weights))
    if own:
        chosen["pretrained"] = False
    elif weights not in ("hub", "none"):
        if not Path(weights).is_file():
            raise TaggerError(
                f"--weights {weights}: no such file. Give a .safetensors or .pth file, `hub` or `none`."
            )
        chosen["pretrained_cfg_overlay"] = {"file": weights}
    if needs_fixed_size(name):
        chosen.setdefault("img_size", size)
    net = _create_net(name, weights, chosen)
    if own:
        load_run_backbone(net, Path(weights), name)
    if weights != "none":
        check_finite_weights(net.state_dict(), f"--weights {weights}")
    return Backbone(net, levels=levels, view_size=size if shrinks else None)


def needs_fixed_size(name: str) -> bool:
    """Whether the network is built for one input size (most transformers)."""
    cfg = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return bool(cfg and cfg.fixed_input_size)


def _create_net(name: str, weights: str, chosen: dict[str, Any]) -> nn.Module:
    try:
        return timm.create_model(name, **chosen)
    except TypeError as error:
        raise TaggerError(f"backbone {name!r} does not take an option that was set: {error}") from None
    except Exception as error:
        if weights == "hub":
            raise _hub_error(name, error) from None
        if weights == "none":
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:140]
        if (
            "loading state_dict" in reason
        ):  # how torch begins its list of missing, surplus and misshapen tensors
            raise TaggerError(
                f"--weights {weights}: these are not weights of {name!r} ({reason} ...)."
                " Name the backbone they belong to."
            ) from None
        raise TaggerError(
            f"--weights {weights}: not readable as weights ({reason}). Is it the right file?"
        ) from None


def _check_hub_reachable(name: str) -> None:
    """Fail in seconds, not after minutes of retries, where the weights are neither cached nor within reach."""
    cfg = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if cfg is None or not cfg.has_weights:
        raise TaggerError(
            f"timm has no pretrained weights for {name!r}: give --weights FILE, or --weights none."
        )
    cached = cfg.hf_hub_id and isinstance(try_to_load_from_cache(cfg.hf_hub_id, "model.safetensors"), str)
    if cached or getproxies().get("https"):
        return
    try:
        socket.create_connection(("huggingface.co", 443), timeout=5).close()
    except OSError as error:
        raise _hub_error(name, error) from None


def _hub_error(name: str, error: Exception) -> TaggerError:
    return TaggerError(
        f"The pretrained weights of {name!r} could not be fetched ({_hub_error_reason(error)}). Without a network give"
        " --weights FILE (safetensors or torch), or --weights none to start from random weights."
    )


def _hub_error_reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return "huggingface.co cannot be reached"
    return f"{type(error).__name__}: {error}"[:100]
