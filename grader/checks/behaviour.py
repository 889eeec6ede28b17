"""Level 1, behaviour: a network in eval mode is a function of x and t, and of nothing else."""

from typing import Any

import torch
from torch import Tensor

from grader.checks.conditioning import difference
from grader.checks.finding import CheckFailed, at_most

SAME = {"cpu": 0.0, "cuda": 1e-4, "mps": 1e-4}  # of the output's rms; a GPU's kernels may add in another order
RESTORED = 1e-4  # the same, for a network whose weights were saved and loaded


def check_deterministic(first: Tensor, others: list[Tensor], device: str) -> dict[str, float]:
    """In eval mode the same input gets the same answer, whatever the seed of the global generator.

    Args:
        first: (B, C, H, W), the answer to one x and t
        others: the answers to the same x and t after other seeds, (B, C, H, W) each
    """
    off = difference(torch.cat([first] * len(others)), torch.cat(others))
    measured = {"difference": off} | at_most(off, limit := SAME[device.split(":")[0]])
    if not off <= limit:
        raise CheckFailed(
            f"expected the same output every time, got a difference of {off:.1%}",
            "Something draws random numbers in eval mode: F.dropout without training=self.training, or torch.randn in "
            "forward. (nn.Dropout knows the mode by itself.)",
            **measured,
        )
    return measured


def check_no_hidden_state(before: list[Tensor], after: list[Tensor], device: str) -> dict[str, float]:
    """The same inputs get the same answers whatever was asked before: (B, C, H, W) each, of any B."""
    off = torch.tensor([difference(a, b) for a, b in zip(before, after, strict=True)]).max().item()
    measured = {"difference": off} | at_most(off, limit := SAME[device.split(":")[0]])
    if not off <= limit:
        raise CheckFailed(
            f"expected the same output before and after other calls, got a difference of {off:.1%}",
            "forward remembers something from call to call: a counter, a cache (of which the key says too little about "
            "x and t), a running average that is updated in eval mode, an attribute that is written in forward.",
            **measured,
        )
    return measured


def check_inputs_unchanged(before: dict[str, Tensor], after: dict[str, Tensor]) -> None:
    """x (B, C, H, W) and t (B,) are as they were before the call, in values, shape and dtype."""
    for name in ("x", "t"):
        a, b = before[name], after[name]
        if a.shape != b.shape or a.dtype != b.dtype or not torch.equal(a, b.to(a.device)):
            raise CheckFailed(
                f"expected {name} to be unchanged after the call, got a changed one",
                f"forward changes {name} in place: look for +=, *=, .add_(), .mul_(), .div_(), .clamp_() or an "
                f"assignment to {name}[…], also through a view of it. Write {name} = {name} + … instead.",
            )


def check_defaults(before: dict[str, Any], after: dict[str, Any], when: str) -> None:
    """Process-wide settings are as before: default dtype and device, grad mode, determinism, threads."""
    changed = [f"{k} ({v} → {after.get(k)})" for k, v in before.items() if after.get(k) != v]
    if changed:
        raise CheckFailed(
            f"expected {when} to leave the global settings alone, got a changed {', '.join(changed)}",
            "A torch.set_… call changes the whole program, training and sampling included: remove it, or use a `with` "
            "block.",
        )


def check_rng_untouched(before: Tensor, after: Tensor) -> None:
    """A forward pass in eval mode draws no random numbers and seeds nothing: states of the generator, uint8 (S,)."""
    if not torch.equal(before, after):
        raise CheckFailed(
            "expected a forward pass in eval mode to leave torch's random generator alone, got a changed one",
            "Look for torch.manual_seed, torch.rand… or dropout that is active in eval mode.",
        )


def check_not_reseeded(one: Tensor, other: Tensor) -> None:
    """Generators seeded differently before import and building still differ afterwards: their states, uint8 (S,)."""
    if torch.equal(one, other):
        raise CheckFailed(
            "expected building the network to leave the seed of torch's random generator alone, got the same "
            "generator state after two different seeds",
            "Look for torch.manual_seed at the top of model.py, in __init__ or in forward: the program seeds, not the "
            "network.",
        )


def check_registered(original: Tensor, restored: Tensor) -> dict[str, float]:
    """A fresh network with the loaded state dict answers as the original one: (B, C, H, W) each."""
    off = difference(original, restored)
    measured = {"difference": off} | at_most(off, RESTORED)
    if not off <= RESTORED:
        raise CheckFailed(
            f"expected the same output after saving and loading the weights, got a difference of {off:.1%}",
            "Something the output needs is not in the state dict: layers in a plain list or dict (use nn.ModuleList, "
            "nn.ModuleDict), or a plain tensor attribute (use nn.Parameter, or register_buffer).",
            **measured,
        )
    return measured
