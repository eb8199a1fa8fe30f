"""Loaders give the batches of an order, exactly; a bad file is a black image with a reason."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from tagger.batches.dataset import ImageBatch, ImageFiles
from tagger.batches.loader import BatchSequence, default_num_workers, make_loader


@pytest.fixture
def folder(tmp_path):
    """Seven images of one colour each (file i has red = 20 i), of which file 3 is not an image."""
    files = [f"image {i}.png" for i in range(7)]
    for i, file in enumerate(files):
        Image.new("RGB", (9 + i, 5), (20 * i, 0, 255)).save(tmp_path / file)
    (tmp_path / files[3]).write_text("no image")
    return ImageFiles(tmp_path, files, size=8)


def test_an_item_is_a_uint8_image_its_row_and_no_reason(folder):
    image_CHW, index, reason = folder[2]
    assert image_CHW.shape == (3, 8, 8)
    assert image_CHW.dtype == torch.uint8
    assert image_CHW.permute(1, 2, 0).is_contiguous()
    assert image_CHW[:, 0, 0].tolist() == [40, 0, 255]
    assert (index, reason) == (2, None)


def test_an_unreadable_or_vanished_file_is_black_with_a_reason(folder):
    image_CHW, index, reason = folder[3]
    assert not image_CHW.any()
    assert (index, reason) == (3, "not an image")
    (folder.root / folder.files[0]).unlink()
    assert folder[0][2] == "no such file"


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # a machine with one core
@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_follow_the_order_whoever_decodes_them(folder, workers, drop_last):
    order = np.array([6, 0, 3, 3, 1, 6, 2])
    loader = make_loader(folder, order, batch_size=3, workers=workers, drop_last=drop_last)
    batches = list(loader)
    assert [batch.indices_B.tolist() for batch in batches] == [[6, 0, 3], [3, 1, 6], [2]][
        : 2 if drop_last else 3
    ]
    assert len(loader) == len(batches)
    for batch in batches:
        assert isinstance(batch, ImageBatch)
        assert batch.images_BCHW.dtype == torch.uint8
        assert batch.images_BCHW.is_contiguous(memory_format=torch.channels_last)
        for image_CHW, index, reason in zip(
            batch.images_BCHW, batch.indices_B.tolist(), batch.reasons, strict=True
        ):
            assert torch.equal(image_CHW, folder[index][0])
            assert reason == ("not an image" if index == 3 else None)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 9])
def test_batches_by_number_are_those_of_a_loader(folder, batch_size):
    order = np.array([6, 0, 3, 3, 1, 6, 2])
    batches = BatchSequence(folder, order, batch_size=batch_size)
    loaded = list(make_loader(folder, order, batch_size=batch_size, workers=0))
    assert len(batches) == len(loaded)
    for number, expected in reversed(list(enumerate(loaded))):  # in any order
        assert torch.equal(batches[number].images_BCHW, expected.images_BCHW)
        assert torch.equal(batches[number].indices_B, expected.indices_B)
        assert batches[number].reasons == expected.reasons
    for number in (-1, len(batches)):
        with pytest.raises(IndexError, match="batch"):
            batches[number]
    with pytest.raises(IndexError, match="items 0 to 6"):
        BatchSequence(folder, [7], batch_size=2)
    assert len(BatchSequence(folder, [], batch_size=2)) == 0


@pytest.mark.parametrize("workers", [0, 1])
def test_a_pass_leaves_the_global_random_state_alone(folder, workers):
    before = torch.get_rng_state()
    assert len(list(make_loader(folder, [0, 1], batch_size=1, workers=workers))) == 2
    assert torch.equal(torch.get_rng_state(), before)


def test_an_empty_order_is_an_empty_epoch(folder):
    assert list(make_loader(folder, [], batch_size=2, workers=0)) == []


@pytest.mark.parametrize("order", [[0, 7], [-1, 2]])
def test_an_order_that_leaves_the_dataset_is_refused_at_once(folder, order):
    with pytest.raises(IndexError, match="items 0 to 6"):
        make_loader(folder, order, batch_size=2, workers=0)


def test_a_dataset_travels_to_a_worker_that_is_started_afresh(folder):
    copy = pickle.loads(pickle.dumps(folder))
    assert torch.equal(copy[1][0], folder[1][0])


def test_an_image_size_below_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        ImageFiles(tmp_path, [], size=0)


def test_the_default_number_of_workers_leaves_a_core_to_training():
    assert 0 <= default_num_workers() <= 8
    assert default_num_workers(most=0) == 0
