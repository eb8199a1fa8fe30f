"""A setting that another one leaves without effect is refused, and said where labels are read."""

import pytest

from tagger.errors import TaggerError
from tagger.presets import load_settings


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["data.split=folders", "data.val=0.2"], r"data\.val has no effect with data\.split=folders"),
        (["data.test=0", "data.split=folders"], r"data\.test has no effect"),
        (["data.burst_gap=3"], r"data\.burst_gap has no effect with data\.sequences=none"),
        (["data={split='folders', val=0.2, test=0.1}"], r"data\.val .*data\.test .*Leave them out"),
    ],
)
def test_a_setting_without_effect_is_refused(settings, reason):
    with pytest.raises(TaggerError, match=reason):
        load_settings("quick", settings)


def test_settings_with_effect_and_those_of_a_run_pass(tmp_path):
    assert load_settings("quick", ["data.val=0.2"]).data.val == 0.2
    assert load_settings("quick", ["data.sequences=time", "data.burst_gap=3"]).data.burst_gap == 3
    assert load_settings("quick", ["data.split=folders"]).data.split == "folders"
