"""ECOC head: error-correcting output codes; J bits, decoded by their distance to fixed code words.

Rodriguez et al. 2018, chapter 6 of the thesis: U = z / ||z|| of the J outputs z, and d_j = -1/2 ||M_j -
U||^2 for the code word M_j of label j (eq. 6.1). Eq. 6.2 prints ||z||^3 where ||z||^2 is right, and eq. 6.3
the sign for descent; the gradient here is autograd's, and the tests hold it against the closed form.

Ours, as the source knows only exclusive classes: logit_j = s d_j + b_j with a learnt scale s and a learnt
bias for each label, which starts at its log-odds. Code words have length 1, so that d_j = <M_j, U> - 1: s
is the range of the logits, and the -1 is the bias's. In a group the logits meet in one softmax
(``Head.finish``), which is that over d.

The limit: U is one direction for all labels of an image. It can be near several code words at once only if
there are bits enough, and an image without any label has to point away from all. For the latter every code
word gets one bit more in which all labels agree (``level``): an image says with it how much of anything it
shows.

Measured on 8,000 photos with 14 labels, half of them with none (benchmarks/codes.py): mAP .680 with the
linear head; .669 with 39 random bits, which are therefore the default; .657 with ``data`` (.574 without
``level``); .565 with 6 of its bits, and .530 where labels are compared by their features. For classes that
exclude each other ``data`` is the better code, and ``level`` is better off: 100 classes at 25 bits lose 1.7
points without it, 3.5 with it (benchmarks/digits.py).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagger.arrays import Cells, Floats
from tagger.errors import TaggerError, did_you_mean
from tagger.heads.base import Head, heads
from tagger.heads.dropout import FastDropout
from tagger.heads.ecoc_codes import auto_bits, check_code, code_matrix, feature_similarity, label_similarity

INITIAL_SCALE = 4.0
SCALE_LR_FACTOR = 10.0  # where the scale starts, and how much faster its logarithm learns than a weight
SIMILARITIES = ("labels", "features")


class CodeDecoder(nn.Linear):
    """The layer from U (B, J) to logits (B, K). Its weights are the code words and are not learnt; its bias is."""

    def __init__(self, code_KJ: Tensor):
        super().__init__(code_KJ.shape[1], code_KJ.shape[0])
        del self.weight
        self.register_buffer("weight", code_KJ)
        nn.init.zeros_(self.bias)


@heads.register("ecoc")
class ECOCHead(Head):
    """Dropout, a linear layer (D -> bits), the direction of its output, and its distance to each label's code word."""

    def __init__(
        self,
        num_features: int,
        num_labels: int,
        *,
        code: str = "dense-random",
        bits: int = 0,
        binarise: str = "none",
        similarity: str = "labels",
        level: bool = True,
        dropout: float = 0.5,
        seed: int = 0,
    ):
        super().__init__(num_features, num_labels)
        if similarity not in SIMILARITIES:
            raise TaggerError(
                f"head.similarity = {similarity!r}: there is no such thing.{did_you_mean(similarity, SIMILARITIES)}"
                f" Available: {', '.join(SIMILARITIES)}"
            )
        bits = bits or auto_bits(code, num_labels)
        check_code(code, num_labels, bits, binarise=binarise)
        self.kind = code
        self.similarity = similarity
        self.level = level
        self.code_options: dict[str, Any] = {"binarise": binarise, "seed": seed}
        self.dropout = FastDropout(dropout)
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.decoder = CodeDecoder(
            self._unit_code_words(code_matrix(code, num_labels, bits, **self.code_options))
        )
        self.fc = nn.Linear(num_features, self.decoder.in_features)
        nn.init.zeros_(self.fc.bias)

    def prepare_inputs(self, features_BD: Tensor) -> Tensor:
        """Standardised features behind dropout."""
        return self.dropout(self.standardised(features_BD))

    def classify(self, features_BD: Tensor) -> Tensor:
        """Logits (B, K): s d_j + b_j, the part of d that is the same for all images and labels left out."""
        unit_BJ = F.normalize(self.fc(features_BD), dim=1, eps=1e-4)
        return F.linear(unit_BJ * self.scale(), self.decoder.weight, self.decoder.bias)

    def scale(self) -> Tensor:
        """s, the range of the logits: positive, a scalar."""
        return INITIAL_SCALE * torch.exp(SCALE_LR_FACTOR * self.log_scale)

    def code_words(self) -> Tensor:
        """The code (K, J), words of length 1, without the bit in which all labels agree."""
        return F.normalize(self.decoder.weight[:, : self.decoder.in_features - self.level], dim=1)

    def output_layer(self) -> nn.Linear:
        """The decoder, whose bias is the logits'."""
        return self.decoder

    def per_label_tensors(self) -> set[str]:
        """The biases, and the code words with them."""
        return super().per_label_tensors() | {"decoder.weight"}

    def classifier_weights(self) -> Tensor:
        """Code times weights (K, D): how an image's features tip its bits towards each label. What is left out
        is a positive factor of each image, s / ||z||, so that a map of what speaks for a label keeps its
        shape.
        """
        return self.decoder.weight @ self.fc.weight / self.std

    def prepare(self, labels_RK: Cells, features_RD: Tensor | Callable[[], Tensor] | None) -> None:
        """Make the code ``data`` from the labels, or from what their images look like; other codes are made
        already.

        Where the features are not known, labels are compared by occurring together; where they never do
        (classes that exclude each other), by their features.
        """
        if self.kind != "data":
            return
        similarity_KK = label_similarity(labels_RK)
        alone = not np.triu(similarity_KK, 1).any()
        if features_RD is not None and (alone or self.similarity == "features"):
            features_RD = features_RD() if callable(features_RD) else features_RD
            similarity_KK = feature_similarity(labels_RK, features_RD.cpu().numpy())
        bits = self.code_words().shape[1]
        code_KJ = code_matrix("data", self.num_labels, bits, similarity_KK=similarity_KK, **self.code_options)
        self.decoder.weight.copy_(self._unit_code_words(code_KJ))

    def init_from_priors(self, priors_K: Floats) -> None:
        """Start at the labels' shares: the bias becomes the log-odds of ``priors_K``; the weights stay, as
        only their direction counts.
        """
        with torch.no_grad():
            self.decoder.bias.copy_(self.scores_from_priors(priors_K))

    def match_size(self, other: Head) -> None:
        """Take as many bits as another head has: one made for another number of labels, or read from a file."""
        assert isinstance(other, ECOCHead)
        self._resize(other.fc.out_features)

    def _resize(self, outputs: int) -> None:
        if outputs != self.fc.out_features:
            words_KJ = torch.randn(self.num_labels, outputs, generator=torch.Generator().manual_seed(0))
            bias = self.decoder.bias
            self.decoder = CodeDecoder(F.normalize(words_KJ))
            self.decoder.bias = bias
            self.fc = nn.Linear(self.num_features, outputs)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        code = state_dict.get(f"{prefix}decoder.weight")
        if code is not None:
            self._resize(code.shape[1])
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _unit_code_words(self, code_KJ: Floats) -> Tensor:
        """Code words of length 1, with the bit in which all agree."""
        words_KJ = F.normalize(torch.from_numpy(code_KJ).float(), dim=1)
        if not self.level:
            return words_KJ
        return F.normalize(torch.cat([words_KJ, torch.ones(len(words_KJ), 1)], 1), dim=1)
