"""Private names of torch and accelerate: each is used in one file, and a change of the library shows here in words."""

import re
from pathlib import Path

from accelerate import Accelerator
from torch import nn

import tagger
from tagger.config import check_settings
from tagger.model.torch_internals import has_forward_hooks
from tagger.training.device import make_accelerator

PRIVATE = re.compile(
    r"\b(?:torch|timm|accelerate)(?:\.\w+)*\._[a-z]\w*"  # a private module or function
    r"|from (?:torch|timm|accelerate)[\w.]* import (?:.*\W)?_[a-zA-Z]"
    r"|\._BatchNorm\b|\.ops\.aten\b"
    r"|\._(?:forward|backward)(?:_pre)?_hooks\b|\._reset_state\b|\._(?:parameters|buffers|modules)\b"
)


def test_private_names_of_torch_timm_and_accelerate_stand_in_one_file():
    package = Path(tagger.__file__).parent
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if PRIVATE.search(path.read_text("utf-8"))
    }
    assert found == {"model/torch_internals.py"}, "Put what is needed into tagger/model/torch_internals.py."


def test_hooks_of_a_module_are_seen():
    note = (
        "torch keeps the hooks of a module under other names than _forward_hooks and _forward_pre_hooks:"
        " fuse_batchnorm would fuse modules that somebody watches."
    )
    after = nn.Identity()
    after.register_forward_hook(lambda module, inputs, output: None)
    before = nn.Identity()
    handle = before.register_forward_pre_hook(lambda module, inputs: None)
    assert has_forward_hooks(after), note
    assert has_forward_hooks(before), note
    handle.remove()
    assert not has_forward_hooks(before), note


def test_a_second_training_of_a_process_may_have_another_precision():
    note = (
        "AcceleratorState._reset_state no longer forgets the precision: a second training in one process"
        " would compute in the first one's, or stop."
    )
    for precision, expected in (("bf16", "bf16"), ("fp32", "no"), ("bf16", "bf16")):
        accelerator = make_accelerator(check_settings({"device": "cpu", "train": {"precision": precision}}))
        assert isinstance(accelerator, Accelerator)
        assert accelerator.mixed_precision == expected, note
