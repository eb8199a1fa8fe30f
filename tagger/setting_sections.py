"""The sections of the settings: each key with its default, bounds and documentation.

The sections ``backbone``, ``head``, ``loss`` and ``sampler`` name a part and pass all other keys on to it: the
options of a part are those of its signature, and are checked when it is built.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tagger.read_options import ReadOptions, Section


class PartSettings(BaseModel):
    """Base class of sections that name a registered part; all other keys are its options."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True, frozen=True)
    name: str
    """Which part."""

    @property
    def options(self) -> dict[str, Any]:
        """The options of the part: the keys that are not fields of the section."""
        return dict(self.model_extra or {})


class DataSettings(ReadOptions):
    path: str = ""
    """The folder of images; `--data` sets it."""
    labels: str = ""
    """The label file or folder, if it was named; `--labels` sets it."""
    split: Literal["random", "folders"] = "random"
    """`random`: stratified, shares `val` and `test`; `folders`: as the folders train, val, test of the photos say."""
    subject_column: str = ""
    """The column of a table that says which photos show one subject: they stay in one split and fold."""
    sequence_column: str = ""
    """The column of a table that says which photos are frames of one sequence: they stay in one split and fold."""
    frame_column: str = ""
    """The column that orders the frames of a sequence: a number, a time of the clip, or a date and time."""
    sequences: Literal["none", "folder", "name", "time"] = "none"
    """Photos of one sequence have the same folder, the same name but for its trailing number, or follow in time."""
    burst_gap: float = Field(2.0, gt=0)
    """Largest gap between two photos of one sequence, in seconds, for `sequences=time`."""
    numbers: dict[str, float] = Field({})
    """Labels that are numbers, each with the number from which on it is yes: `numbers={pain=1}`; or in labels.toml."""
    val: float = Field(0.1, ge=0.0, lt=1.0)
    """Share of images used to stop training and to compare models."""
    test: float = Field(0.1, ge=0.0, lt=1.0)
    """Share of images that no training ever sees; the headline metrics come from them."""
    folds: int = Field(5, ge=2, le=50)
    """Parts that train + val are cut into for out-of-fold probabilities."""

    @property
    def yes_from(self) -> dict[str, float]:
        """Columns that hold numbers, and the number from which on the label applies."""
        return self.numbers

    @property
    def has_sequences(self) -> bool:
        """Whether a setting says which photos are frames of one sequence."""
        return bool(self.sequence_column) or self.sequences != "none"

    @property
    def related_columns(self) -> tuple[str, ...]:
        """Columns that say which photos belong together, and in which order; they are no labels."""
        return tuple(filter(None, (self.subject_column, self.sequence_column, self.frame_column)))


class ImageSettings(Section):
    size: int = Field(192, ge=16, le=2048)
    """Side of the square the network sees, in pixels."""
    fit: Literal["squash", "crop", "pad"] = "squash"
    """How a photo becomes a square: the whole of it squashed, its centre cut out, or padded."""
    tta_hflip: bool = True
    """Average the prediction over the image and its mirror image (test-time flip)."""
    progressive_start: int = Field(0, ge=0, le=2048)
    """Side of the square in the first epoch; pixels, no layers, grow to `size` by the last third. 0 is off."""
    workers: int = Field(-1, ge=-1, le=256)
    """Processes that read images; -1 decides from the cores there are."""
    cache: float = Field(8.0, ge=0)
    """Largest size, in gigabytes, of the file of decoded images that a training keeps while it runs; 0 is none."""

    @property
    def num_workers(self) -> int | None:
        """``workers``, or None where the loader is to decide."""
        return None if self.workers < 0 else self.workers


class AlignSettings(Section):
    """Photos aligned by landmarks before anything else sees them (docs/alignment.md)."""

    landmarks: str = ""
    """File or folder of landmarks (`.pts`, dlib, OpenFace, MediaPipe, COCO); photos are aligned by them. Empty: off."""
    mode: Literal["crop", "warp"] = "crop"
    """`crop`: turned, scaled and cut out; `warp`: also deformed, each triangle of points onto the mean shape."""
    points: Literal["coarse", "all"] = "coarse"
    """Points that `warp` moves: `coarse` leaves out lids, brows and lips, so that the expression stays."""
    margin: float = Field(0.4, ge=0, le=4)
    """What is left on each side of the mean shape, as a share of its longer side."""
    jitter: float = Field(0, ge=0, le=0.2)
    """Noise of the landmarks in each epoch of fine-tuning, as a share of the square's side (standard deviation)."""
    missing: Literal["whole", "skip"] = "whole"
    """Photos without landmarks: used whole and unaligned, or left out."""


class BackboneSettings(PartSettings):
    name: str = "mobilenetv2_100"
    """Any name of `timm.list_models()`; other keys of this section go to `timm.create_model`."""
    weights: str = "hub"
    """`hub` (timm's pretrained weights, fetched once), `none` (random), or a file (.safetensors, .pth)."""
    levels: int = Field(3, ge=1, le=8)
    """Feature maps, from the last backwards, whose average is given to the head."""


class HeadSettings(PartSettings):
    name: str = "linear"
    """A registered head; other keys of this section are its options."""


class LossSettings(PartSettings):
    name: str = "bce"
    """A registered loss; other keys of this section are its options."""
    smoothing: float = Field(0.0, ge=0.0, lt=0.5)
    """Targets become smoothing and 1 - smoothing instead of 0 and 1."""


class AttentionSettings(Section):
    """Gated attention beside the backbone (thesis chapter 4): the base path stays as it is."""

    depth: int = Field(0, ge=0, le=8)
    """Attention modules, one a feature map, from the last backwards; 0 is off."""
    num_heads: int = Field(4, ge=1, le=64)
    """Heads of each module."""
    diversity: float = Field(0.1, ge=0)
    """Weight of the penalty on heads of one module that look at the same place."""
    lr_factor: float = Field(10.0, gt=0)
    """The modules learn at this multiple of the backbone's rate."""


class SequenceSettings(Section):
    """Frames in order: an LSTM over the last frames' features adds to a frame's scores (thesis chapter 2)."""

    length: int = Field(0, ge=0, le=256)
    """Frames that the LSTM sees, the last of which is the frame itself; 0 is off."""
    grid: int = Field(1, ge=1, le=16)
    """Features are averaged in the cells of a grid x grid; 1: over the whole map, which loses where a thing is."""
    level: int = Field(1, ge=1, le=8)
    """The feature map that is averaged, counted from the last backwards; grid = 1, level = 1: the head's features."""
    hidden: int = Field(128, ge=1, le=4096)
    """Size of the LSTM's state."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of the features that are dropped while it learns, the same ones in all frames of a window."""
    epochs: int = Field(20, ge=1)
    """Passes over the frames."""
    batch_size: int = Field(256, ge=1)
    """Frames a step."""
    lr: float = Field(3e-3, gt=0)
    """Highest learning rate (one cycle)."""
    weight_decay: float = Field(0.01, ge=0)
    """Weight decay of AdamW."""
    undersample: str = ""
    """A label: each epoch leaves out whole sequences without it until as many frames are without it as with it."""

    @property
    def own_features(self) -> bool:
        """Whether the LSTM reads other features than the head."""
        return self.length > 0 and (self.grid > 1 or self.level > 1)


class RuleSettings(Section):
    enforce: bool = True
    """Predictions follow the rules of `labels.toml`: an image tagged `baby` is tagged `people` too."""


class SamplerSettings(PartSettings):
    name: str = "none"
    """A registered sampler; other keys of this section are its options."""


class AugmentSettings(Section):
    hflip: float = Field(0.5, ge=0, le=1)
    """Probability of a left-right flip."""
    vflip: float = Field(0.0, ge=0, le=1)
    """Probability of an upside-down flip."""
    shift: float = Field(0.05, ge=0, le=0.5)
    """Largest shift, as a share of the side."""
    scale_min: float = Field(0.5, ge=0.01, le=1)
    """Smallest share of the image's area that a random crop keeps; 1 is no crop."""
    aspect: float = Field(4 / 3, ge=1, le=100)
    """Largest stretch of a random crop, either way; 1 is none."""
    shear: float = Field(5.0, ge=0, le=80)
    """Largest shear, degrees."""
    rotate: float = Field(0.0, ge=0, le=180)
    """Largest rotation, degrees."""
    brightness: float = Field(0.2, ge=0, le=1)
    """Brightness is multiplied by 1 - b ... 1 + b."""
    contrast: float = Field(0.2, ge=0, le=1)
    """Contrast is multiplied by 1 - c ... 1 + c."""
    saturation: float = Field(0.2, ge=0, le=1)
    """Saturation is multiplied by 1 - s ... 1 + s."""
    hue: float = Field(0.0, ge=0, le=0.5)
    """Largest turn of the hue, in full circles."""
    grey: float = Field(0.05, ge=0, le=1)
    """Probability of a grey image."""
    randaugment: int = Field(0, ge=0, le=8)
    """Operations of torchvision's RandAugment; 0 is off."""
    randaugment_magnitude: int = Field(9, ge=0, le=30)
    """Their strength."""
    erasing: float = Field(0.0, ge=0, le=1)
    """Probability of torchvision's RandomErasing."""


class MixSettings(Section):
    mixup: float = Field(0.0, ge=0)
    """Alpha of mixup (Zhang et al. 2018); 0 is off."""
    cutmix: float = Field(0.0, ge=0)
    """Alpha of CutMix (Yun et al. 2019); 0 is off."""
    prob: float = Field(1.0, ge=0, le=1)
    """Probability that a batch is mixed."""


class HeadStageSettings(Section):
    """The first stage: the backbone's features, cached once, and heads trained on them."""

    enabled: bool | Literal["auto"] = "auto"
    """Train heads on the frozen backbone first; `auto`: when it has pretrained weights."""
    epochs: int = Field(30, ge=1)
    """Passes over the cached features."""
    batch_size: int = Field(256, ge=1)
    """Images a step."""
    lr: float = Field(1e-3, gt=0)
    """Highest learning rate (one cycle)."""
    weight_decay: float = Field(0.01, ge=0)
    """Weight decay of AdamW."""
    num_seeds: int = Field(1, ge=1, le=20)
    """Heads trained a fold, from different seeds; their logits are averaged."""
    mixup: float = Field(0.0, ge=0)
    """Alpha of mixup between feature vectors; 0 is off."""


class TrainSettings(Section):
    """The second stage: the whole network."""

    epochs: int = Field(0, ge=0)
    """Passes over the images; 0 leaves the backbone frozen."""
    batch_size: int = Field(64, ge=1)
    """Images a step."""
    optimiser: str = "adamw"
    """A name that `timm.optim` knows."""
    lr: float = Field(3e-4, gt=0)
    """Highest learning rate of the backbone."""
    head_lr_factor: float = Field(10.0, gt=0)
    """The head learns at this multiple of the backbone's rate."""
    layer_decay: float = Field(1.0, gt=0, le=1)
    """Each block before the last learns at this multiple of the next one's rate."""
    weight_decay: float = Field(0.05, ge=0)
    """Weight decay; never on biases and normalisation."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps in which the rate rises; then it falls as `schedule` says."""
    schedule: Literal["cosine", "step", "exponential"] = "cosine"
    """How the rate falls: as a cosine to 0; by `decay_rate` every `decay_steps` steps; or as much in a smooth curve."""
    decay_rate: float = Field(0.5, gt=0, le=1)
    """The factor of `schedule=step` and `schedule=exponential`."""
    decay_steps: int = Field(0, ge=0)
    """Steps in which the rate falls by `decay_rate`; 0 is a fifth of all steps after the warm-up."""
    clip_grad_norm: float = Field(1.0, ge=0)
    """Largest gradient norm; 0 is off."""
    freeze_share: float = Field(0.0, ge=0, le=1)
    """Share of the backbone's stages, from the input on, that keep their weights."""
    freeze_epochs: int = Field(0, ge=0)
    """First epochs in which only the head learns."""
    freeze_norm: bool | Literal["auto"] = "auto"
    """Keep the running statistics of batch normalisation; `auto`: when the weights are pretrained."""
    ema_decay: float = Field(0.998, ge=0, lt=1)
    """Decay of the averaged weights that are validated and kept; 0 is off."""
    wise_ft_share: float = Field(0.0, ge=0, le=1)
    """WiSE-FT: share of the pretrained start in the final weights; 0 is plain fine-tuning, 1 the start."""
    patience: int = Field(0, ge=0)
    """Epochs without a better validation mAP after which training stops; 0 never."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """`auto`: bf16 where the processor or GPU computes it, else fp16 on a GPU, else fp32."""
    compile: bool = False
    """Compile the network with torch.compile (pays on a GPU, needs a C compiler on a CPU)."""
    verified_weight: float = Field(1.0, gt=0)
    """How much more a cell that a person verified weighs than another, in a retraining."""
    fold_models: int = Field(1, ge=1, le=20)
    """1: a single network, no fold models. More: one without each fold of train + val; weights are averaged."""


class ThresholdSettings(Section):
    objective: str = "f1"
    """`f1`, `f2`, `f0.5`, `precision>=0.9`, `recall>=0.8` or `cost fp=1 fn=5`."""
    min_positives: int = Field(10, ge=1)
    """Labels with fewer known positives get the shared threshold."""
    pooled_loss: float = Field(0.01, ge=0, le=1)
    """Largest loss of pooled utility (micro-F1) against the best single threshold, as a share; 1: no limit."""
