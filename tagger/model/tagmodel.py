"""Images to logits: a backbone and a head, saved as one safetensors file."""

from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.heads import Head, HeadEnsemble, heads
from tagger.model.backbone import Backbone, make_backbone


class TagModel(nn.Module):
    """Logits (B, K) of RGB images (B, 3, H, W) in 0..1. ``features`` are what the head reads, (B, D)."""

    def __init__(self, backbone: Backbone, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Logits (B, K), float32."""
        return self.head(self.features(images_BCHW))

    def features(self, images_BCHW: Tensor) -> Tensor:
        """Pooled features (B, D), float32."""
        return self.backbone(images_BCHW)


def new_backbone(settings: Settings) -> Backbone:
    """The backbone that the settings name, with the weights they name."""
    chosen = settings.backbone
    return make_backbone(chosen.name, chosen.weights, size=settings.image.size, levels=chosen.levels, **chosen.options)


def new_head(num_features: int, num_labels: int, settings: Settings) -> Head:
    """An untrained head as the settings name it."""
    return heads.build(settings.head.name, num_features, num_labels, **settings.head.options)


def save_model(model: TagModel, path: Path) -> None:
    """Write all weights as safetensors; the number of heads goes into the file's metadata.

    The metadata has one entry only: safetensors writes several in an order that differs from process to process.
    """
    members = len(model.head.members) if isinstance(model.head, HeadEnsemble) else 0
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    path.touch()
    mode = path.stat().st_mode
    save_file(tensors, path, metadata={"heads": str(members)})
    path.chmod(mode)  # safetensors makes files that only their owner can read


def load_model(path: Path, settings: Settings, num_labels: int) -> TagModel:
    """The model of a finished run, in evaluation mode, on the CPU; TaggerError if the file does not fit the run."""
    chosen = settings.backbone
    backbone = make_backbone(chosen.name, "none", size=settings.image.size, levels=chosen.levels, **chosen.options)
    try:
        with safe_open(path, framework="pt") as file:
            members = int((file.metadata() or {}).get("heads", "0"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except Exception as error:
        raise TaggerError(f"{path}: not readable as weights ({error}). Restore a copy, or train again.") from None
    one = [new_head(backbone.num_features, num_labels, settings) for _ in range(members or 1)]
    model = TagModel(backbone, HeadEnsemble(one) if members else one[0])
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise TaggerError(f"{path}: does not fit the run's config.toml and labels.json ({reason}).") from None
    return model.eval()
