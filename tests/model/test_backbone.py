"""Backbones: the same numbers as timm's own networks, weights from files, and every refusal in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from tagger.config import Settings, check_settings
from tagger.errors import TaggerError
from tagger.heads import HeadEnsemble
from tagger.model import Backbone, TagModel, load_model, make_backbone, new_backbone, new_head, save_model

NETWORKS = ("test_vit", "test_resnet", "test_efficientnet", "test_convnext", "mobilenetv3_small_050")


def make(name: str, *, weights: str = "none", levels: int = 1, size: int = 64, **options: Any) -> Backbone:
    """A backbone with weights that depend on its name only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make_backbone(name, weights, size=size, levels=levels, **options).eval()


@pytest.fixture(scope="module")
def images_BCHW() -> torch.Tensor:
    """A batch of noise in 0..1."""
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def unlike_a_fresh_one(net: nn.Module) -> nn.Module:
    """The network with other weights and statistics than its initialisation gives, as if it had been trained."""
    generator = torch.Generator().manual_seed(3)
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(torch.rand(tensor.shape, generator=generator) * 0.1)
    return net


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_pooled_features_are_timms_own(name: str, images_BCHW: torch.Tensor):
    backbone = make(name)
    cfg = backbone.net.pretrained_cfg
    mean, std = (torch.tensor(cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    features_BD = backbone(images_BCHW)
    expected_BD = backbone.net(
        (images_BCHW - mean) / std
    )  # made with num_classes=0: its output is the pooled features
    assert features_BD.shape == (2, backbone.num_features)
    torch.testing.assert_close(features_BD, expected_BD, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_more_levels_only_add_to_what_the_last_one_gives(name: str, images_BCHW: torch.Tensor):
    one, three = make(name), make(name, levels=3)
    three.load_state_dict(one.state_dict())
    assert three.num_features > one.num_features
    features_BD = three(images_BCHW)
    assert features_BD.shape == (2, three.num_features)
    torch.testing.assert_close(features_BD[:, -one.num_features :], one(images_BCHW), atol=1e-5, rtol=1e-5)
    maps, last = three.forward_maps(images_BCHW)
    slow_BD = torch.stack([torch.cat([m[b].flatten(1).mean(1) for m in maps]) for b in range(2)])
    torch.testing.assert_close(features_BD[:, : slow_BD.shape[1]], slow_BD, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(three.pool(maps, last), features_BD)


@pytest.mark.parametrize("name", NETWORKS)
def test_stages_hold_every_parameter_once_from_the_input_on(name: str):
    backbone = make(name)
    names = [parameter for stage in backbone.stages() for parameter in stage]
    assert sorted(names) == sorted(dict(backbone.net.named_parameters()))
    first = next(iter(dict(backbone.net.named_parameters())))
    assert first in backbone.stages()[0]
    assert len(backbone.stages()) > 1


def test_making_a_backbone_leaves_its_batch_statistics_alone():
    for name, buffer in make("test_resnet", levels=3).net.named_buffers():
        if name.endswith("running_mean"):
            assert not buffer.any(), name
        if name.endswith("num_batches_tracked"):
            assert buffer == 0, name


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
@torch.no_grad()
def test_weights_of_a_file_are_loaded_by_timms_names(
    tmp_path: Path, name: str, suffix: str, images_BCHW: torch.Tensor
):
    options: dict[str, Any] = {"img_size": 64} if "vit" in name else {}
    net: Any = unlike_a_fresh_one(timm.create_model(name, num_classes=10, **options))
    path = tmp_path / f"weights{suffix}"
    _save(net, path)
    backbone = make(name, weights=str(path))
    for key, tensor in backbone.net.state_dict().items():
        assert torch.equal(tensor, net.state_dict()[key]), key
    net.reset_classifier(0)
    net.eval()
    x = (images_BCHW - backbone.mean) / backbone.std
    torch.testing.assert_close(backbone(images_BCHW), net(x), atol=1e-5, rtol=1e-5)


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no file of weights" * 20)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _save(net: nn.Module, path: Path) -> None:
    save_file(net.state_dict(), path) if path.suffix == ".safetensors" else torch.save(net.state_dict(), path)


def _cut_off(path: Path) -> None:
    _save(timm.create_model("test_resnet"), path)
    path.write_bytes(path.read_bytes()[:-1000])


def _of_another_network(path: Path) -> None:
    _save(timm.create_model("test_efficientnet"), path)


def _of_a_wider_network(path: Path) -> None:
    _save(timm.create_model("test_resnet", channels=(40, 48, 48, 96)), path)


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (_garbage, "not readable as weights"),
        (_empty, "not readable as weights"),
        (_cut_off, "not readable as weights"),
        (_of_another_network, "not weights of 'test_resnet'"),
        (_of_a_wider_network, "not weights of 'test_resnet'"),
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], None], text: str, suffix: str
):
    path = tmp_path / f"weights{suffix}"
    spoil(path)
    with pytest.raises(TaggerError, match=text) as error:
        make("test_resnet", weights=str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(
        TaggerError, match=r"absent.pth: no such file. Give a .safetensors or .pth file, `hub` or"
    ):
        make("test_resnet", weights=str(tmp_path / "absent.pth"))


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(
        TaggerError, match=r"Unknown backbone 'mobilnetv2_100'. Did you mean 'mobilenetv2_100'"
    ):
        make("mobilnetv2_100")
    with pytest.raises(TaggerError, match="list_models"):
        make("qqqqqqqq")


def test_an_option_that_the_network_lacks_is_refused():
    with pytest.raises(
        TaggerError, match=r"'test_resnet' does not take an option that was set: .*colour"
    ) as error:
        make("test_resnet", colour="red")
    assert "\n" not in str(error.value)


def test_options_reach_the_network():
    padded = make("mobilenetv2_100", pad_type="same")
    assert type(padded.net.conv_stem).__name__ == "Conv2dSame"


def test_without_a_network_the_error_names_the_two_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def no_route(*args: object, **kwargs: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("tagger.model.backbone.socket.create_connection", no_route)
    monkeypatch.setattr("tagger.model.backbone.getproxies", dict)
    monkeypatch.setattr("tagger.model.backbone.try_to_load_from_cache", lambda *args: None)
    with pytest.raises(TaggerError, match=r"--weights FILE .*--weights none"):
        make("mobilenetv2_100", weights="hub")


def test_a_failing_download_is_no_fault_of_ours(monkeypatch: pytest.MonkeyPatch):
    def breaks_off(*args: object, **kwargs: object) -> None:
        raise RuntimeError("Connection reset by peer")

    monkeypatch.setattr("tagger.model.backbone._check_hub_reachable", lambda name: None)
    monkeypatch.setattr("tagger.model.backbone.timm.create_model", breaks_off)
    with pytest.raises(TaggerError, match=r"could not be fetched .*--weights none"):
        make("mobilenetv2_100", weights="hub")


def test_a_network_without_published_weights_is_named():
    name = next(n for n in timm.list_models() if (cfg := timm.get_pretrained_cfg(n)) and not cfg.has_weights)
    with pytest.raises(
        TaggerError, match=f"timm has no pretrained weights for '{name}': give --weights FILE"
    ):
        make(name, weights="hub")


def settings_for(backbone_name: str, **head: Any) -> Settings:
    """Settings of a small network from random weights."""
    backbone = {"name": backbone_name, "weights": "none", "levels": 2}
    return check_settings({"backbone": backbone, "head": head, "image": {"size": 64}})


@pytest.mark.parametrize("members", [0, 3])
@pytest.mark.parametrize("head", ["linear", "mlp"])
@torch.no_grad()
def test_a_saved_model_comes_back(tmp_path: Path, head: str, members: int, images_BCHW: torch.Tensor):
    settings = settings_for("test_resnet", name=head)
    backbone = new_backbone(settings)
    unlike_a_fresh_one(backbone)
    parts = [new_head(backbone.num_features, 5, settings) for _ in range(members or 1)]
    model = TagModel(backbone, HeadEnsemble(parts) if members else parts[0]).eval()
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors", settings, 5)
    assert not again.training
    assert torch.equal(again(images_BCHW), model(images_BCHW))
    torch.testing.assert_close(again.features(images_BCHW), backbone(images_BCHW))


def test_a_model_that_does_not_fit_its_run_is_refused(tmp_path: Path):
    settings = settings_for("test_resnet", name="linear")
    backbone = new_backbone(settings)
    save_model(
        TagModel(backbone, new_head(backbone.num_features, 5, settings)), tmp_path / "model.safetensors"
    )
    with pytest.raises(TaggerError, match=r"does not fit the run's config.toml and labels.json") as error:
        load_model(tmp_path / "model.safetensors", settings, 4)
    assert "\n" not in str(error.value)
    (tmp_path / "bad.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(TaggerError, match="not readable as weights"):
        load_model(tmp_path / "bad.safetensors", settings, 5)
