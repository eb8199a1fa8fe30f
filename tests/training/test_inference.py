"""Images through a network: views are averaged, rows keep their places, unreadable images say why."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tagger.batches import BatchSequence, ImageBatch, ImageFiles, make_loader
from tagger.runs import Checkpoint
from tagger.training.features import Features, extract_features, find_unreadable
from tagger.training.inference import predict, predict_in_order, run_batches, to_float

CPU = torch.device("cpu")


@pytest.fixture
def images(tmp_path: Path) -> ImageFiles:
    """Seven images of noise, of which the fourth cannot be read."""
    rng = np.random.default_rng(0)
    for n in range(7):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{n}.png")
    (tmp_path / "3.png").write_bytes(b"")
    return ImageFiles(tmp_path, [f"{n}.png" for n in range(7)], size=16)


def loader(images: ImageFiles, order: Sequence[int]) -> Iterable[ImageBatch]:
    """Batches of two."""
    return make_loader(images, order, batch_size=2, workers=0)


def corner(images_BCHW: torch.Tensor) -> torch.Tensor:
    """A "network" that sees left from right: the first and the last pixel of the first row."""
    return torch.stack([images_BCHW[:, 0, 0, 0], 2 * images_BCHW[:, 1, 0, -1]], 1)


def test_flip_views_give_the_mean_of_both(images: ImageFiles):
    order = [0, 1, 2, 4, 5, 6]
    plain = predict(corner, loader(images, order), 7, device=CPU)
    mirrored = predict(lambda x: corner(x.flip(-1)), loader(images, order), 7, device=CPU)
    both = predict(corner, loader(images, order), 7, device=CPU, tta_hflip=True)
    in_order = predict_in_order(corner, loader(images, order), device=CPU, tta_hflip=True)
    np.testing.assert_array_equal(in_order, both[order])
    np.testing.assert_allclose(both[order], (plain + mirrored)[order] / 2, rtol=1e-6)
    assert not np.allclose(plain[order], mirrored[order])


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 20])
def test_threads_that_read_for_themselves_give_what_a_loader_gives(
    images: ImageFiles, threads: int, batch_size: int
):
    order, before = [6, 0, 3, 2, 5], torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = list(
            run_batches(
                corner, BatchSequence(images, order, batch_size=batch_size), device=CPU, tta_hflip=True
            )
        )
    finally:
        torch.set_num_threads(before)
    expected = list(
        run_batches(
            corner, make_loader(images, order, batch_size=batch_size, workers=0), device=CPU, tta_hflip=True
        )
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.outputs_VBX, other.outputs_VBX)
        np.testing.assert_array_equal(one.indices_B, other.indices_B)
        assert one.reasons == other.reasons


def test_pieces_of_a_batch_give_what_the_whole_gives():
    batch = ImageBatch(torch.randint(0, 256, (40, 3, 4, 4), dtype=torch.uint8), torch.arange(40), [None] * 40)
    sizes: list[int] = []

    def network(images_BCHW: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images_BCHW))
        return corner(images_BCHW)

    (outputs,) = run_batches(network, [batch], device=CPU)
    assert sizes == [16, 16, 8]
    np.testing.assert_array_equal(outputs.outputs_VBX[0], corner(to_float(batch.images_BCHW, CPU)).numpy())


def test_rows_keep_their_places_whatever_the_order(images: ImageFiles):
    forward = predict(corner, loader(images, [0, 1, 2]), 7, device=CPU)
    backward = predict(corner, loader(images, [2, 0, 1]), 7, device=CPU)
    np.testing.assert_array_equal(forward, backward)
    assert np.isnan(forward[3:]).all()
    slow = np.stack([corner(images[n][0][None].float() / 255)[0].numpy() for n in range(3)])
    np.testing.assert_allclose(forward[:3], slow, rtol=1e-6)


def test_a_network_sees_floats_from_0_to_1():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    torch.testing.assert_close(to_float(pixels, CPU).flatten(), torch.tensor([0, 0.2, 1.0]))


def test_unreadable_images_say_why(images: ImageFiles, tmp_path: Path):
    reasons: dict[int, str] = {}
    for outputs in run_batches(corner, loader(images, range(7)), device=CPU):
        reasons |= {int(i): r for i, r in zip(outputs.indices_B, outputs.reasons, strict=True) if r}
    assert reasons == {3: "0 bytes"}
    assert find_unreadable(loader(images, range(7)), Checkpoint(tmp_path / "kept")) == {3: "0 bytes"}


def test_outputs_are_float32_and_no_gradient_is_kept(images: ImageFiles):
    weight = torch.ones(3, requires_grad=True)

    def network(images_BCHW: torch.Tensor) -> torch.Tensor:
        result = torch.einsum("bchw,c->b", images_BCHW, weight)[:, None]
        assert not result.requires_grad
        return result

    for precision in ("fp32", "bf16"):
        assert (
            predict(network, loader(images, [0, 1]), 7, device=CPU, precision=precision).dtype == np.float32
        )


class Corner(torch.nn.Module):
    """``corner`` with the face of a backbone."""

    num_features = 2

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        return corner(images_BCHW)


def extract(batches: Iterable[ImageBatch], folder: Path, *, tta_hflip: bool = True) -> Features:
    """Features of the seven images."""
    backbone: Any = Corner()
    return extract_features(
        backbone, batches, 7, device=CPU, precision="fp32", tta_hflip=tta_hflip, checkpoint=Checkpoint(folder)
    )


def test_features_are_computed_once_and_hold_both_views(images: ImageFiles, tmp_path: Path):
    features = extract(loader(images, range(7)), tmp_path / "kept")
    assert features.views_VND.shape == (2, 7, 2)
    assert features.unreadable == {3: "0 bytes"}
    plain = predict(corner, loader(images, range(7)), 7, device=CPU, tta_hflip=True)
    np.testing.assert_allclose(features.mean_ND(), plain, atol=2e-3)  # float16
    again = extract(iter(()), tmp_path / "kept")  # nothing is read a second time
    np.testing.assert_array_equal(again.views_VND, features.views_VND)
    assert again.unreadable == features.unreadable


def test_features_of_an_interrupted_pass_are_not_used(images: ImageFiles, tmp_path: Path):
    def breaks_off() -> Iterator[ImageBatch]:
        yield from list(loader(images, range(7)))[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(breaks_off(), tmp_path / "kept", tta_hflip=False)
    plain = predict(corner, loader(images, range(7)), 7, device=CPU)
    whole = extract(loader(images, range(7)), tmp_path / "kept", tta_hflip=False)
    np.testing.assert_allclose(whole.mean_ND(), plain, atol=2e-3)


def test_some_rows_of_the_features_are_renumbered(images: ImageFiles, tmp_path: Path):
    features = extract(loader(images, range(7)), tmp_path / "kept")
    some = features.select(np.array([5, 0]))
    np.testing.assert_array_equal(some.views_VND, features.views_VND[:, [5, 0]])


def test_the_mean_of_both_views_is_that_of_all_rows_at_once(monkeypatch: pytest.MonkeyPatch):
    views_VND = np.random.default_rng(0).normal(size=(2, 11, 5)).astype(np.float16)
    expected = views_VND.mean(0, dtype=np.float32).astype(np.float16)
    for at_once in (3, 11, 4096):
        monkeypatch.setattr("tagger.training.features.ROWS_AT_ONCE", at_once)
        np.testing.assert_array_equal(Features(views_VND, {}).mean_ND(), expected)
