"""Fingerprints: area means as a double loop gives them, whatever the size, fit and batch; kept in a file on the way."""

import numpy as np
import pytest
import torch
from PIL import Image

from tagger.batches import ImageFiles, fingerprint, load_fingerprints, make_loader, write_fingerprints
from tagger.data.images.decoding import PAD_COLOUR


def photos(num, height, width, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).integers(0, 256, (num, 3, height, width), dtype=np.uint8)
    )


@pytest.mark.parametrize("cells", [1, 2, 3])
def test_each_cell_is_the_mean_of_its_pixels(cells):
    images = photos(2, 16 * cells, 16 * cells)
    thumbs, colours = fingerprint(images)
    for b in range(2):
        for y in range(16):
            for x in range(16):
                cell = images[b, :, y * cells : (y + 1) * cells, x * cells : (x + 1) * cells].float()
                assert abs(int(thumbs[b, y, x]) - cell.mean().item()) <= 0.51
    np.testing.assert_allclose(colours, images.float().mean((2, 3)), atol=0.51)


@pytest.mark.parametrize("size", [9, 16, 100, 225])
def test_the_fingerprint_of_a_mirror_image_is_the_mirrored_fingerprint(size):
    images = photos(3, size, size + 5)
    thumbs, colours = fingerprint(images)
    mirrored, same = fingerprint(images.flip(-1))
    assert np.abs(mirrored[:, :, ::-1].astype(int) - thumbs).max() <= 1  # rounding
    np.testing.assert_array_equal(colours, same)


def test_bars_that_padding_added_are_left_out():
    inside = photos(1, 32, 64)
    padded = torch.tensor(PAD_COLOUR, dtype=torch.uint8)[None, :, None, None].repeat(1, 1, 64, 64)
    padded[:, :, 16:48] = inside
    np.testing.assert_array_equal(fingerprint(padded, padded=True)[0], fingerprint(inside)[0])
    assert not np.array_equal(fingerprint(padded)[0], fingerprint(inside)[0])
    nothing = torch.tensor(PAD_COLOUR, dtype=torch.uint8)[None, :, None, None].repeat(1, 1, 64, 64)
    assert fingerprint(nothing, padded=True)[1].tolist() == [list(PAD_COLOUR)]


def test_fingerprints_are_kept_row_by_row_while_the_batches_pass(tmp_path):
    files = [f"{n}.png" for n in range(7)]
    for n, file in enumerate(files):
        Image.fromarray(photos(1, 20, 30, seed=n)[0].permute(1, 2, 0).numpy()).save(tmp_path / file)
    images = ImageFiles(tmp_path, files, size=32)
    assert load_fingerprints(tmp_path / "prints.npy") is None
    order = [3, 0, 6, 1, 5, 2, 4]
    batches = list(
        write_fingerprints(
            make_loader(images, order, batch_size=3, workers=0), images, tmp_path / "prints.npy"
        )
    )
    assert [row for batch in batches for row in batch.indices_B.tolist()] == order
    found = load_fingerprints(tmp_path / "prints.npy")
    assert found is not None
    for row in range(7):
        thumbs, colours = fingerprint(images[row][0][None])
        np.testing.assert_array_equal(found[0][row], thumbs[0])
        np.testing.assert_array_equal(found[1][row], colours[0])
