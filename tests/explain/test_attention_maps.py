"""Maps of attention heads: eq. 4.1, 4.5 and 4.7 by loops; shares of all sum to 1; a model without heads is told so."""

import math

import pytest
import torch
from networks import make, noise

from tagger.errors import TaggerError
from tagger.explain import attention_looks
from tagger.explain.split_forward import forward_to_maps


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_maps_and_shares_are_those_of_loops(name: str):
    size = 160 if name == "test_vit" else 64
    model, image = make(name, size=size, depth=2), noise(size=size)
    looks = attention_looks(model, image)
    attention = model.attention
    num_heads = attention.reads[0].num_heads
    assert [(look.module, look.head) for look in looks] == [
        (m, j) for m in (1, 2) for j in range(1, num_heads + 1)
    ]
    with torch.no_grad():
        maps, _ = forward_to_maps(model, image)
        pooled_D = model.features(image)[0, -model.backbone.net.head_hidden_size :]
        known_D = (pooled_D - attention.mean) / attention.std / math.sqrt(len(pooled_D))
        squashed = [
            math.tanh(float(row @ known_D + bias))
            for row, bias in zip(attention.gate.weight, attention.gate.bias, strict=True)
        ]
        output = [math.exp(value) / sum(math.exp(other) for other in squashed) for value in squashed]
        for m, (info, module) in enumerate(zip(attention.map_infos, attention.reads, strict=True)):
            if info.index is None:
                continue  # the last map is checked by the sum below
            map_CP = maps[info.index][0].flatten(1)
            scaled_CP = (map_CP - module.mean[:, None]) / module.std[:, None] / math.sqrt(len(map_CP))
            gates = []
            for j in range(num_heads):
                scores = [float(module.filters[j] @ place) for place in scaled_CP.T]
                whole = sum(math.exp(score) for score in scores)
                weights = [math.exp(score) / whole for score in scores]
                found = looks[m * num_heads + j].map_HW.flatten().tolist()
                assert found == pytest.approx(weights, rel=1e-3, abs=1e-6)
                said = [
                    float(module.filters[len(module.filters) - num_heads + j] @ place)
                    for place in scaled_CP.T
                ]
                gates.append(math.exp(math.tanh(sum(w * s for w, s in zip(weights, said, strict=True)))))
            for j in range(num_heads):
                expected = output[1 + m] * gates[j] / sum(gates)
                assert looks[m * num_heads + j].share == pytest.approx(expected, rel=1e-3)
    assert sum(look.share for look in looks) + output[0] == pytest.approx(1, abs=1e-5)
    assert all(float(look.map_HW.sum()) == pytest.approx(1, abs=1e-4) for look in looks)


def test_a_model_without_attention_says_so():
    with pytest.raises(TaggerError, match=r"no attention heads: attention.depth was 0"):
        attention_looks(make(), noise())
