"""TagModel: backbone, head, optional attention, LSTMs and glimpses; images to logits; saved as one safetensors file."""

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.heads import Head, HeadEnsemble, heads
from tagger.model.attention import GatedAttention
from tagger.model.backbone import Backbone, make_backbone, needs_fixed_size
from tagger.model.feature_maps import find_feature_maps, forward_feature_maps
from tagger.model.finite_weights import check_finite_weights
from tagger.model.glimpses import Glimpses
from tagger.model.new_glimpses import any_size_options, new_glimpses
from tagger.model.sequence_model import SequenceModel, load_sequences
from tagger.regularisers import ModelOutputs


class TagModel(nn.Module):
    """Logits (B, K) of RGB images (B, 3, H, W) in 0..1. ``features`` are what the head reads, (B, D)."""

    head: Head | HeadEnsemble
    attention: GatedAttention | None
    sequences: (
        SequenceModel | None
    )  # what it adds to a frame's scores is asked for apart: it needs several frames
    glimpses: Glimpses | None

    def __init__(
        self,
        backbone: Backbone,
        head: Head | HeadEnsemble,
        attention: GatedAttention | None = None,
        sequences: SequenceModel | None = None,
        glimpses: Glimpses | None = None,
    ):
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.attention = attention
        self.sequences = sequences
        self.glimpses = glimpses

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Logits (B, K), float32."""
        return self.forward_outputs(images_BCHW).logits_BK

    def forward_outputs(self, images_BCHW: Tensor) -> ModelOutputs:
        """Logits (B, K) with the features they come from, and what attention wants added to a training's loss."""
        raw_BK, features_BD, penalty = self._forward_scores(images_BCHW)
        return ModelOutputs(self.head.to_logits(raw_BK), features_BD, penalty)

    def raw_scores(self, images_BCHW: Tensor) -> Tensor:
        """Scores (B, K), float32, before the head's ``to_logits``, with those of attention and glimpses in them."""
        return self._forward_scores(images_BCHW)[0]

    def _forward_scores(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        parts = [part for part in (self.attention, self.glimpses) if part is not None]
        if not parts:
            features_BD = self.features(images_BCHW)
            return self.head.raw_scores(features_BD), features_BD, None
        features_BD, maps, last_BD = forward_feature_maps(
            self.backbone, images_BCHW, [info for part in parts for info in part.map_infos]
        )
        scores_BK, penalty = self.head.raw_scores(features_BD), None
        if self.attention is not None:
            own, maps = maps[: len(self.attention.map_infos)], maps[len(self.attention.map_infos) :]
            scores_BK, penalty = self.attention(scores_BK, own, last_BD)
        if self.glimpses is not None:
            scores_BK = scores_BK + self.glimpses(self.backbone, images_BCHW, maps)
        return scores_BK, features_BD, penalty

    def features(self, images_BCHW: Tensor) -> Tensor:
        """Pooled features (B, D), float32."""
        return self.backbone(images_BCHW)


class FrameOutputs(nn.Module):
    """Raw scores of a model with LSTMs and, behind them, the features that these read (B, K + S), float32."""

    def __init__(self, model: TagModel):
        super().__init__()
        assert model.sequences is not None
        self.model = model
        self.sequences = model.sequences

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """See the class."""
        features_BD, sequence_BS = self.sequences.read(self.model.backbone, images_BCHW)
        return torch.cat([self.model.head.raw_scores(features_BD), sequence_BS], dim=1)


def new_backbone(settings: Settings, *, use_global_rng: bool = False) -> Backbone:
    """The backbone that the settings name, with the weights they name.

    Random ones (``none``) depend on the seed alone, so that cached features and the networks of a run go
    together; with ``use_global_rng`` they are drawn from torch's generator.
    """
    with torch.random.fork_rng(devices=[], enabled=not use_global_rng):
        if not use_global_rng:
            torch.default_generator.manual_seed(settings.seed)
        return _make_backbone(settings, settings.backbone.weights)


def _make_backbone(settings: Settings, weights: str) -> Backbone:
    chosen = settings.backbone
    options = chosen.options
    has_glimpses = settings.glimpses.count > 0
    if has_glimpses and needs_fixed_size(chosen.name):
        options = any_size_options(chosen.name, options) | options
    return make_backbone(
        chosen.name, weights, size=settings.image.size, levels=chosen.levels, shrinks=has_glimpses, **options
    )


def new_head(num_features: int, num_labels: int, settings: Settings) -> Head:
    """An untrained head as the settings name it."""
    return heads.build(settings.head.name, num_features, num_labels, **settings.head.options)


def new_attention(backbone: Backbone, num_labels: int, settings: Settings) -> GatedAttention | None:
    """Attention as the settings ask for it, or None where its depth is 0; ``init_from_priors`` is still to be
    called.

    It depends on the seed alone, so that all networks of a run begin with the same one and can be averaged.
    """
    chosen = settings.attention
    if not chosen.depth:
        return None
    map_infos = find_feature_maps(backbone, chosen.depth)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        num_last_features = backbone.net.head_hidden_size
        return GatedAttention(
            map_infos, num_last_features, num_labels, num_heads=chosen.num_heads, diversity=chosen.diversity
        )


def save_model(model: TagModel, path: Path) -> None:
    """Write all weights as safetensors; the number of heads goes into the file's metadata.

    The metadata has one entry only: safetensors writes several in an order that differs from process to
    process.
    """
    members = len(model.head.members) if isinstance(model.head, HeadEnsemble) else 0
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    path.touch()
    mode = path.stat().st_mode
    save_file(tensors, path, metadata={"heads": str(members)})
    path.chmod(mode)  # safetensors makes files that only their owner can read


def load_model(path: Path, settings: Settings, num_labels: int) -> TagModel:
    """The model of a finished run, in evaluation mode, on the CPU; TaggerError if the file does not fit
    the run or holds a value that is not finite."""
    backbone = _make_backbone(settings, "none")
    try:
        with safe_open(path, framework="pt") as file:
            members = int((file.metadata() or {}).get("heads", "0"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except Exception as error:
        raise TaggerError(
            f"{path}: not readable as weights ({error}). Restore a copy, or train again."
        ) from None
    check_finite_weights(tensors, path)
    one = [new_head(backbone.num_features, num_labels, settings) for _ in range(members or 1)]
    # A run that kept the frozen backbone and its heads has no attention or glimpses, whatever it asked for.
    parts = {name.partition(".")[0] for name in tensors}
    attention = new_attention(backbone, num_labels, settings) if "attention" in parts else None
    glimpses = new_glimpses(backbone, num_labels, settings) if "glimpses" in parts else None
    sequences = load_sequences(tensors, backbone, num_labels, settings)
    model = TagModel(backbone, HeadEnsemble(one) if members else one[0], attention, sequences, glimpses)
    for name, tensor in model.state_dict().items():  # a run of before there were groups has no such buffers
        if name.endswith(("group_K", "none_K")):
            tensors.setdefault(name, tensor)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise TaggerError(f"{path}: does not fit the run's config.toml and labels.json ({reason}).") from None
    return model.eval()
