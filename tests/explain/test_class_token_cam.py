"""CAM of a class token: shares of the patches against loops over heads and tokens; they add up; where it is refused."""

import math

import pytest
import torch
from networks import make, noise

from tagger.explain import explain
from tagger.explain.cam import cam
from tagger.explain.class_token_cam import class_token_cam


def slow_shares(attention, tokens_TC, slope_C, reader: int) -> list[float]:
    """The share of each token, a head and a token at a time."""
    heads, size = attention.num_heads, tokens_TC.shape[1] // attention.num_heads
    triple = attention.qkv(tokens_TC)
    shares = [0.0] * len(tokens_TC)
    for head in range(heads):
        at = slice(head * size, (head + 1) * size)
        query = triple[reader, : tokens_TC.shape[1]][at]
        scores = [
            float(query @ row[tokens_TC.shape[1] : 2 * tokens_TC.shape[1]][at]) / math.sqrt(size)
            for row in triple
        ]
        whole = sum(math.exp(score) for score in scores)
        for t, row in enumerate(triple):
            value = row[2 * tokens_TC.shape[1] :][at] * (math.exp(scores[t]) / whole)
            shares[t] += float((attention.proj.weight[:, at] @ value) @ slope_C)
    return shares


@pytest.mark.parametrize(
    ("name", "readers"), [("test_vit", [0]), ("deit_tiny_distilled_patch16_224", [0, 1])]
)
def test_the_map_is_what_loops_over_heads_and_tokens_give(name: str, readers: list[int]):
    size = 160 if name == "test_vit" else 224
    model, image = make(name, size=size), noise(size=size)
    attention, seen = model.backbone.net.blocks[-1].attn, {}

    def keep(_module, inputs, output):
        seen["tokens"], seen["output"] = inputs[0], output
        output.retain_grad()

    handle = attention.register_forward_hook(keep)
    weights_C = model.head.classifier_weights()[1].detach()
    last = model.backbone.forward_maps(image)[1]
    (model.backbone.net.forward_head(last, pre_logits=True) * weights_C).sum().backward()
    handle.remove()
    slope_TC = seen["output"].grad[0]
    with torch.no_grad():
        parts = [slow_shares(attention, seen["tokens"][0], slope_TC[reader], reader) for reader in readers]
        shares = [sum(part) for part in zip(*parts, strict=True)]
        found = cam(model, image, 1)
        expected = torch.tensor(shares[len(readers) :]).view(found.shape)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
        constant = sum(float(attention.proj.bias @ slope_TC[reader]) for reader in readers)
        whole = sum(float(seen["output"][0, reader] @ slope_TC[reader]) for reader in readers)
    assert sum(shares) + constant == pytest.approx(whole, rel=1e-3, abs=1e-5)


def test_maps_of_earlier_levels_are_added():
    model, image = make("test_vit", size=160, levels=2), noise(size=160)
    weights_D = model.head.classifier_weights()[0].detach()
    maps, _ = model.backbone.forward_maps(image)
    with torch.no_grad():
        earlier = torch.einsum("bchw,c->bhw", maps[0], weights_D[: maps[0].shape[1]])
    last = class_token_cam(model, image, weights_D[maps[0].shape[1] :])
    assert last is not None
    torch.testing.assert_close(cam(model, image, 0), earlier + last)


def test_it_is_a_picture_as_any_other_and_leaves_no_gradient_or_hook():
    model, image = make("test_vit", size=160), noise(size=160)
    before = model(image)
    heat_HW = explain(model, image, 0, method="cam")
    assert heat_HW.shape == (10, 10)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.backbone.net.blocks[-1].attn._forward_hooks
    assert torch.equal(model(image), before)


def test_an_attention_of_another_kind_is_not_guessed_at():
    model, image = make("test_vit", size=160), noise(size=160)
    attention = model.backbone.net.blocks[-1].attn
    attention.norm = torch.nn.LayerNorm(attention.proj.in_features)
    assert class_token_cam(model, image, model.head.classifier_weights()[0].detach()) is None
