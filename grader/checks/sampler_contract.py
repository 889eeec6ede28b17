"""Level 4, the contract and behaviour of a sampler: range, what is left alone, seeds."""

from typing import Protocol

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, at_least, at_most


def check_range(driven: Tensor) -> dict[str, float]:
    """Samples (N, C, H, W) from networks that push x far to either side lie in [−1, 1] and use both halves of it."""
    low, high = driven.min().item(), driven.max().item()
    if low < -1 or high > 1:
        raise CheckFailed(
            f"expected samples in [−1, 1], got {low:.3g} … {high:.3g}",
            "Clamp to [−1, 1] at the very end of sample: .clamp(-1, 1).",
            low=low, high=high,
        )  # fmt: skip
    measured = {"low": low, "high": high} | at_least(min(-low, high), 0.5)
    if low > -0.5 or high < 0.5:
        raise CheckFailed(
            f"expected samples that can reach −1 and 1, got {low:.3g} … {high:.3g}",
            "Images live in [−1, 1] here, not in [0, 1]: sample returns x_0 as it is, only clamped.",
            **measured,
        )  # fmt: skip
    return measured


def check_left_alone(what: str, changed: object, before: dict[str, Tensor], after: dict[str, Tensor]) -> None:
    """A call has changed neither the schedule nor the model nor its inputs.

    Args:
        changed: names of what changed in schedule and model, as the worker reports them
        before, after: the inputs by name: x_t (B, C, H, W), t (B,)
    """
    inputs = [name for name, v in before.items() if name not in after or not _same(v, after[name].to(v.device))]
    names = [*(str(name) for name in changed), *inputs] if isinstance(changed, list) else inputs
    if names:
        raise CheckFailed(
            f"expected {what} to leave everything as it was, got a changed {', '.join(names)}",
            "Look for operations in place: +=, *=, .mul_(), .clamp_(), an assignment to x_t[…], or .requires_grad_() "
            "and .to() on the model.",
            changed=names,
        )


def _same(a: Tensor, b: Tensor) -> bool:
    """torch.equal alone takes 1 for 1.0, and raises for dtypes that it can't compare."""
    return a.dtype == b.dtype and torch.equal(a, b)


def check_reproducible(first: Tensor, again: Tensor) -> dict[str, float]:
    """The same seed gives the same samples, (B, C, H, W) each; on a GPU up to the rounding of its kernels."""
    off = (first - again).abs().max().item() if first.shape == again.shape else float("inf")
    measured = {"difference": off} | at_most(off, 1e-4)
    if not off <= 1e-4:  # NaN is not
        raise CheckFailed(
            f"expected the same samples after the same torch.manual_seed, got ones that differ by up to {off:.3g}",
            "Draw all noise with torch's own generator (torch.randn, torch.randn_like), not with numpy, random or a "
            "generator that is seeded by the clock.",
            **measured,
        )
    return measured


class Sampling(Protocol):
    """One on record, as far as it is looked at here."""

    x: list[Tensor]  # that the model was called with


def check_not_repeated(other: Sampling, following: Sampling, first: Sampling) -> None:
    """Another seed starts from other noise, and a second call from different noise again: nothing seeds inside.

    Args:
        first, other, following: traces of samplings after one seed, after another, and after that without seeding;
            of each the x of every call, (B, C, H, W)
    """
    for name, a, b in (("another seed", first, other), ("a second call", other, following)):
        if a.x and b.x and torch.equal(a.x[0], b.x[0]):
            raise CheckFailed(
                f"expected other noise with {name}, got the same x_T",
                "Something in sampler.py seeds the generator (torch.manual_seed, or a generator made anew with a "
                "fixed seed): seeding is left to the caller.",
            )
        if a.x and b.x and torch.equal(a.x[-1], b.x[-1]):
            raise CheckFailed(
                f"expected other images with {name}, got the same ones",
                "x no longer depends on x_T or on the noise of the steps: what goes into the next step?",
            )
