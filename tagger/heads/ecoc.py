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

The default (``auto``) is what was measured. Where labels may occur together it is random codes: on 8,000
photos with 14 labels, half of them with none (benchmarks/codes.py), mAP .680 with the linear head; .669 with 39
random bits; .657 with ``data`` (.574 without ``level``); .565 with 6 of its bits, and .530 where labels are
compared by their features. Where all labels exclude each other it is ``data``, and without ``level`` if each
image has one of them: 100 classes at 25 bits lose 1.7 points without it, 3.5 with it, and random codes 9
(benchmarks/digits.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagger.arrays import YES, Cells, Floats
from tagger.errors import TaggerError
from tagger.heads.base import Head, heads
from tagger.heads.code_tables import TABLE_CODES, read_label_table, table_code
from tagger.heads.dropout import FastDropout
from tagger.heads.ecoc_codes import auto_bits, binarise_code, check_code, code_matrix
from tagger.heads.ecoc_options import check_tables, check_word, has_level, kind_of_words
from tagger.heads.label_similarity import order_similarity, similarity_by_pair

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
        code: str = "auto",
        bits: int = 0,
        binarise: str = "none",
        similarity: str = "labels",
        level: bool | Literal["auto"] = "auto",
        file: str = "",
        attributes: str = "",
        dropout: float = 0.5,
        seed: int = 0,
    ):
        super().__init__(num_features, num_labels)
        check_word("similarity", similarity, SIMILARITIES)
        if not isinstance(level, bool):
            check_word("level", level, ("auto",))
        first_code = {"auto": "dense-random", **dict.fromkeys(TABLE_CODES, "gaussian")}.get(code, code)
        num_bits = bits or auto_bits(first_code, num_labels)
        check_code(first_code, num_labels, num_bits, binarise=binarise)
        check_tables(code, file, attributes, binarise)
        if num_bits == 1 and level is False:
            raise TaggerError(
                "head.level = false: the direction of a single bit is its sign, which cannot be learnt."
                " Set more bits, or leave head.level=auto."
            )
        self.kind = code
        self.bits = bits
        self.table = attributes if code == "attributes" else file
        self.attributes = attributes
        self.names: tuple[str, ...] = ()
        self.similarity = similarity
        self.level_option = level
        self.level = level is not False
        self.code_options: dict[str, Any] = {"binarise": binarise, "seed": seed}
        self.position_K = np.full(num_labels, np.nan)
        self.dropout = FastDropout(dropout)
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.decoder = CodeDecoder(
            self._unit_code_words(code_matrix(first_code, num_labels, num_bits, **self.code_options))
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

    def set_definitions(self, names: Sequence[str], groups: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep the labels' names, and the order of ordinal groups, by which their labels may be compared."""
        self.names = tuple(names)
        place = {name: k for k, name in enumerate(names)}
        for group in groups.values():
            if group["kind"] == "ordinal":
                known = [place[label] for label in group["labels"] if label in place]
                self.position_K[known] = np.arange(len(known))

    def check_labels(self, names: Sequence[str]) -> None:
        """TaggerError if the table of the code, or of the attributes, does not fit these labels."""
        if self.kind in TABLE_CODES:
            table_code(self.kind, self.table, names, self.bits)
        if self.attributes:
            read_label_table(self.attributes, names)

    def prepare(
        self,
        labels_RK: Cells,
        features_RD: Tensor | Callable[[], Tensor] | None,
        *,
        pretrained: bool = True,
    ) -> None:
        """Decide on the code where it is ``auto``; read it from its table, or make the code ``data``: from what
        occurs together, from what looks alike, or from the order of a group (``similarity_by_pair``).

        TaggerError where ``data`` has nothing to compare labels by: it is never any code instead.
        """
        exclusive = self._all_exclude(labels_RK)
        known = features_RD is not None or not np.isnan(self.position_K).any()
        if self.kind == "auto":
            fits = self.bits <= self.num_labels - 1
            self.kind = "data" if exclusive and known and fits else "dense-random"
        if self.kind in TABLE_CODES:
            code_KJ = table_code(self.kind, self.table, self.names, self.bits)
            code_KJ = binarise_code(code_KJ, self.code_options["binarise"])
        elif self.kind == "data":
            similarity_KK = self._similarity(labels_RK, features_RD, prefer_order=not pretrained)
            bits = self.bits or auto_bits("data", self.num_labels)
            code_KJ = code_matrix(
                "data", self.num_labels, bits, similarity_KK=similarity_KK, **self.code_options
            )
        else:
            return
        if self.level_option == "auto":
            self.level = not (exclusive and code_KJ.shape[1] > 1 and not self._some_have_none(labels_RK))
        self._set_code(code_KJ)

    def _similarity(
        self, labels_RK: Cells, features_RD: Tensor | Callable[[], Tensor] | None, *, prefer_order: bool
    ) -> Floats:
        """How much alike the labels are (K, K), decided pair by pair."""
        group_K = self.group_K.cpu().numpy()

        def features_of() -> Floats:
            tensor = features_RD() if callable(features_RD) else features_RD
            assert tensor is not None
            return tensor.cpu().numpy()

        return similarity_by_pair(
            labels_RK, group_K, order_KK=order_similarity(self.position_K, group_K),
            features=None if features_RD is None else features_of,
            prefer_order=prefer_order, all_by_features=self.similarity == "features",
        )  # fmt: skip

    def _all_exclude(self, labels_RK: Cells) -> bool:
        """Whether all labels are one exclusive group, or each image has exactly one of them."""
        if self.num_labels < 2:
            return False
        return bool((self.group_K == 0).all()) or bool(((labels_RK == YES).sum(1) == 1).all())

    def _some_have_none(self, labels_RK: Cells) -> bool:
        """Whether there are images without any label: they need the bit in which all labels agree."""
        return bool(self.none_K.any()) or not bool((labels_RK == YES).any(1).all())

    def init_from_priors(self, priors_K: Floats) -> None:
        """Start at the labels' shares: the bias becomes the log-odds of ``priors_K``; the weights stay, as
        only their direction counts.
        """
        with torch.no_grad():
            self.decoder.bias.copy_(self.scores_from_priors(priors_K))

    def match_size(self, other: Head) -> None:
        """Take as many bits as another head has: one made for another number of labels, or read from a file."""
        assert isinstance(other, ECOCHead)
        self.kind = other.kind
        if self.level != other.level or self.fc.out_features != other.fc.out_features:
            self.level = other.level
            self._take_outputs(other.fc.out_features)

    def _set_code(self, code_KJ: Floats) -> None:
        """Take this code; where it has another number of bits, the layer before it is drawn anew."""
        words_KJ = self._unit_code_words(code_KJ)
        if words_KJ.shape[1] == self.fc.out_features:
            self.decoder.weight.copy_(words_KJ)
            return
        bias = self.decoder.bias
        self.decoder = CodeDecoder(words_KJ)
        self.decoder.bias = bias
        # From the weights that it replaces: heads are prepared in threads, which share torch's own generator.
        seed = int(self.fc.weight.detach().flatten()[:1].view(torch.int32)) & 0x7FFFFFFF
        bound = self.num_features**-0.5
        self.fc = nn.Linear(self.num_features, words_KJ.shape[1])
        with torch.no_grad():
            self.fc.weight.uniform_(-bound, bound, generator=torch.Generator().manual_seed(seed))
        nn.init.zeros_(self.fc.bias)

    def _take_outputs(self, outputs: int) -> None:
        """Have so many outputs, and words of that length until others are copied or read."""
        num_bits = max(outputs - self.level, 1)
        generator = torch.Generator().manual_seed(0)
        words_KJ = torch.randn(self.num_labels, num_bits, generator=generator).double().numpy()
        bias = self.decoder.bias
        self.decoder = CodeDecoder(self._unit_code_words(words_KJ))
        self.decoder.bias = bias
        self.fc = nn.Linear(self.num_features, outputs)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        code = state_dict.get(f"{prefix}decoder.weight")
        if code is not None:
            if self.level_option == "auto":
                self.level = has_level(code)
            if code.shape[1] != self.fc.out_features:
                self._take_outputs(code.shape[1])
        super()._load_from_state_dict(state_dict, prefix, *args)
        if code is not None and self.kind == "auto":
            self.kind = kind_of_words(self.code_words())

    def _unit_code_words(self, code_KJ: Floats) -> Tensor:
        """Code words of length 1, with the bit in which all agree."""
        words_KJ = F.normalize(torch.from_numpy(code_KJ).float(), dim=1)
        if not self.level:
            return words_KJ
        return F.normalize(torch.cat([words_KJ, torch.ones(len(words_KJ), 1)], 1), dim=1)
