"""A handful of images is tagged without preparing the network first, with the same result."""

import numpy as np
import pytest
from untrained import make_run, photos_of

from tagger.commands.serving import predictor
from tagger.commands.serving.predictor import load


def test_few_images_get_what_they_get_among_many(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, backbone="mobilenetv2_035")
    photos = [photo.name for photo in photos_of(run)]
    few = load(run).predict_probs(tmp_path / "photos", photos)
    monkeypatch.setattr(predictor, "MIN_TO_FUSE", 0)
    prepared = load(run)
    many = prepared.predict_probs(tmp_path / "photos", photos)
    np.testing.assert_allclose(few.probs_NK, many.probs_NK, atol=1e-4)
    assert list(prepared.chosen_labels(few.probs_NK)) == list(prepared.chosen_labels(many.probs_NK))
