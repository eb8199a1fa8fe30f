"""A handful of images is tagged without preparing the network first, with the same result."""

import numpy as np
import pytest
from untrained import make_run, photos_of

from tagger.commands import tagger_model
from tagger.commands.tagger_model import load


def test_few_images_get_what_they_get_among_many(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, backbone="mobilenetv2_035")
    photos = [photo.name for photo in photos_of(run)]
    few = load(run).tag(tmp_path / "photos", photos)
    monkeypatch.setattr(tagger_model, "FEW", 0)
    prepared = load(run)
    many = prepared.tag(tmp_path / "photos", photos)
    np.testing.assert_allclose(few.probs_NK, many.probs_NK, atol=1e-4)
    assert list(prepared.choose(few.probs_NK)) == list(prepared.choose(many.probs_NK))
