"""Private names of torch and accelerate: every one that the package relies on.

No other file uses one. ``tests/model/test_torch_internals.py`` says in words what breaks when one of them
changes. Where a public way appears, take it and delete the entry:

* Hooks of a module: ``register_forward_hook`` is public, but nothing public tells whether a module has hooks.
* accelerate's state: it keeps the first precision of a process, and refuses another one.
"""

from torch import nn


def has_forward_hooks(module: nn.Module) -> bool:
    """Whether something is called before or after the module's forward pass.

    >>> has_forward_hooks(nn.Identity())
    False
    """
    return bool(module._forward_hooks or module._forward_pre_hooks)


def reset_accelerate_state() -> None:
    """Make accelerate forget the precision that earlier Accelerators of this process had."""
    from accelerate.state import AcceleratorState  # here, as predictions do without accelerate

    AcceleratorState._reset_state()
