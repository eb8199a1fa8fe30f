"""Who learns how fast: every weight in one group, the head ten times as fast, frozen stages not at all."""

import math
from typing import Any

import pytest
import torch
from timm.optim import create_optimizer_v2

from tagger.config import check_settings
from tagger.errors import TaggerError
from tagger.heads import LinearHead
from tagger.model import TagModel, make_backbone
from tagger.setting_sections import TrainSettings
from tagger.training.check_parts import check_parts
from tagger.training.network.optimiser import make_optimiser, make_schedule, parameter_groups


@pytest.fixture
def model() -> TagModel:
    """A small network with batch normalisation."""
    backbone = make_backbone("test_resnet", "none", size=32, levels=1)
    return TagModel(backbone, LinearHead(backbone.num_features, 3))


def settings(**chosen: Any) -> TrainSettings:
    """Training settings."""
    return TrainSettings.model_validate({"epochs": 1, **chosen})


def by_name(model: TagModel, groups: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The group of each parameter that is in one."""
    group_of = {id(p): group for group in groups for p in group["params"]}
    return {name: group_of[id(p)] for name, p in model.named_parameters() if id(p) in group_of}


def test_every_parameter_is_in_exactly_one_group(model: TagModel):
    ids = [id(p) for group in parameter_groups(model, settings()) for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())


def test_the_head_learns_ten_times_as_fast_as_the_backbone(model: TagModel):
    for name, group in by_name(model, parameter_groups(model, settings())).items():
        assert group["lr_scale"] == (10 if name.startswith("head.") else 1), name


def test_biases_and_normalisation_do_not_decay(model: TagModel):
    for name, group in by_name(model, parameter_groups(model, settings(weight_decay=0.3))).items():
        owner = model.get_submodule(name.rpartition(".")[0])
        plain = name.endswith("bias") or isinstance(owner, torch.nn.BatchNorm2d)
        assert group["weight_decay"] == (0.0 if plain else 0.3), name


def test_each_stage_before_the_last_learns_more_slowly(model: TagModel):
    stages = model.backbone.stages()
    groups = by_name(model, parameter_groups(model, settings(layer_decay=0.5)))
    for depth, stage in enumerate(stages):
        for name in stage:
            assert groups[f"backbone.net.{name}"]["lr_scale"] == 0.5 ** (len(stages) - 1 - depth), name
    assert groups["head.fc.weight"]["lr_scale"] == 10


@pytest.mark.parametrize(("share", "num_frozen"), [(0.0, 0), (0.2, 1), (0.5, 2), (1.0, 5)])
def test_frozen_stages_are_in_no_group_and_get_no_gradient(model: TagModel, share: float, num_frozen: int):
    stages = model.backbone.stages()
    assert len(stages) == 5
    groups = by_name(model, parameter_groups(model, settings(freeze_share=share)))
    model(torch.rand(2, 3, 32, 32)).square().sum().backward()
    for depth, stage in enumerate(stages):
        for name in stage:
            parameter = model.backbone.net.get_parameter(name)
            assert (f"backbone.net.{name}" in groups) == (depth >= num_frozen), name
            assert (parameter.grad is None) == (depth < num_frozen), name
    assert model.get_parameter("head.fc.weight").grad is not None


def test_nothing_left_to_train_is_said(model: TagModel):
    model.head.requires_grad_(False)
    with pytest.raises(TaggerError, match="freeze_share leaves nothing to train"):
        parameter_groups(model, settings(freeze_share=1))


def test_the_rate_rises_then_falls_as_a_cosine_and_keeps_its_proportions(model: TagModel):
    chosen = settings(lr=0.01, warmup=0.2)
    optimiser = make_optimiser(parameter_groups(model, chosen), chosen)
    schedule = make_schedule(optimiser, 100, chosen)
    rates = []
    for step in range(100):
        rates.append([group["lr"] / group["lr_scale"] for group in optimiser.param_groups])
        schedule.step_update(step + 1)
    assert all(math.isclose(rate, row[0]) for row in rates for rate in row)
    course = [row[0] for row in rates]
    expected = [0.01 * step / 20 for step in range(20)]
    expected += [0.005 * (1 + math.cos(math.pi * (step - 20) / 80)) for step in range(20, 100)]
    assert course == pytest.approx(expected, abs=1e-9)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)


def test_without_warm_up_the_first_step_is_the_largest(model: TagModel):
    chosen = settings(lr=0.01, warmup=0)
    optimiser = make_optimiser(parameter_groups(model, chosen), chosen)
    make_schedule(optimiser, 10, chosen)
    assert {group["lr"] / group["lr_scale"] for group in optimiser.param_groups} == {0.01}


@pytest.mark.parametrize("name", ["adamw", "sgd", "lion"])
def test_timms_optimisers_go_by_their_names(model: TagModel, name: str):
    chosen = settings(optimiser=name)
    assert make_optimiser(parameter_groups(model, chosen), chosen).param_groups


def test_an_unknown_optimiser_is_named(model: TagModel):
    chosen = settings(optimiser="adamwww")
    with pytest.raises(TaggerError, match=r"train.optimiser = 'adamwww'.*list_optimizers"):
        make_optimiser(parameter_groups(model, chosen), chosen)


@pytest.mark.parametrize("name", ["adamw", "sgd", "nadamw", "lamb"])
def test_an_optimiser_in_one_kernel_takes_the_steps_of_timms(name: str):
    ours, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 50)) for _ in range(2))
    chosen = settings(optimiser=name, lr=0.01)
    optimisers = (
        make_optimiser([{"params": [ours], "weight_decay": 0.1}], chosen),
        create_optimizer_v2([{"params": [theirs], "weight_decay": 0.1}], opt=name, lr=0.01),
    )
    for number in range(5):
        for parameter, optimiser in zip((ours, theirs), optimisers, strict=True):
            parameter.grad = torch.cos(torch.arange(50.0) + number)
            optimiser.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("warmup", [0.0, 0.2])
@pytest.mark.parametrize("schedule", ["step", "exponential"])
def test_other_schedules_are_torchs_after_the_warm_up(model: TagModel, schedule: str, warmup: float):
    chosen = settings(lr=0.01, warmup=warmup, schedule=schedule, decay_rate=0.5, decay_steps=15)
    optimiser = make_optimiser(parameter_groups(model, chosen), chosen)
    ours, first = make_schedule(optimiser, 100, chosen), int(100 * warmup)
    plain = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    torchs: Any = {
        "step": torch.optim.lr_scheduler.StepLR(plain, 15, gamma=0.5),
        "exponential": torch.optim.lr_scheduler.ExponentialLR(plain, 0.5 ** (1 / 15)),
    }[schedule]
    for step in range(100):
        rate = optimiser.param_groups[0]["lr"] / optimiser.param_groups[0]["lr_scale"]
        if step < first:
            assert rate == pytest.approx(0.01 * step / first)
        else:
            assert rate == pytest.approx(torchs.get_last_lr()[0], rel=1e-6)
            plain.step()
            torchs.step()
        ours.step_update(step + 1)


def test_without_a_number_of_steps_the_rate_falls_five_times(model: TagModel):
    chosen = settings(lr=0.01, warmup=0, schedule="step", decay_rate=0.1)
    optimiser = make_optimiser(parameter_groups(model, chosen), chosen)
    schedule, rates = make_schedule(optimiser, 50, chosen), []
    for step in range(50):
        rates.append(round(optimiser.param_groups[0]["lr"] / optimiser.param_groups[0]["lr_scale"], 10))
        schedule.step_update(step + 1)
    assert rates == pytest.approx([0.01 * 0.1 ** (step // 10) for step in range(50)])


def test_a_decay_that_no_schedule_uses_is_refused():
    with pytest.raises(TaggerError, match=r"train.decay_steps = 50, but a cosine has no decay"):
        check_parts(check_settings({"train": {"decay_steps": 50}}))
    check_parts(check_settings({"train": {"decay_steps": 50, "schedule": "step"}}))
