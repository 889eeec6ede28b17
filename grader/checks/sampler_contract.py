"""Level 4, the contract and behaviour of a sampler: what it returns, range, what is left alone, seeds."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, at_least, at_most, refuse_not_finite
from grader.checks.noise import Z


def check_images(method: str, facts: dict[str, Any], came: Tensor | None, shape: Sequence[int], device: str) -> Tensor:
    """What p_sample or sample returned is a plain float32 tensor of the shape asked for, on the device.

    Args:
        method: which of the two
        facts: the worker's description
        came: (B, C, H, W) if right; None where it could not be sent
        shape: expected
    Returns:
        the images
    """
    what = "x_{t-1}" if method == "p_sample" else "the images"
    if facts.get("shape") is None:
        raise CheckFailed(
            f"expected a tensor of shape {tuple(shape)} from {method}, got {facts['type']}",
            f"{method} returns {what} and nothing else: no tuple, no list of steps, no numpy array. Is the `return` "
            "there?",
        )
    got = tuple(facts["shape"] if came is None else came.shape)
    if got != tuple(shape):
        raise CheckFailed(f"expected shape {tuple(shape)} from {method}, got {got}", _shape_hint(method, got, shape))
    if came is None:
        raise CheckFailed(
            f"expected a dense tensor from {method}, got a sparse, complex or meta one", "Return a plain tensor."
        )
    if facts["type"] != "Tensor":
        raise CheckFailed(
            f"expected a plain torch.Tensor from {method}, got {facts['type']}", f"Return {what} as a plain tensor."
        )
    if facts["dtype"] != "torch.float32" or came.dtype != torch.float32:
        dtype = str(facts["dtype"]).removeprefix("torch.")
        raise CheckFailed(f"expected float32 from {method}, got {dtype}", _dtype_hint(method, dtype))
    if facts["device"] != device.split(":")[0]:
        raise CheckFailed(
            f"expected {what} on {device}, got {what} on {facts['device']}",
            f"{method} leaves {what} on self.device, without .cpu(): whoever shows images moves them.",
        )
    return came


def _shape_hint(method: str, got: Sequence[int], shape: Sequence[int]) -> str:
    if len(got) == 5 and tuple(got[1:]) == tuple(shape):
        return f"{method} returns the last x alone, not those of all steps."
    if len(got) == 4 and tuple(got) == (shape[0], *shape[2:], shape[1]):
        return "Channels stay in front, (B, C, H, W): leave out the permute, whoever shows images does that."
    if len(got) == 3:
        return "An axis is lost: squeeze, or an index [0], drops the channel or the batch. x stays (B, C, H, W)."
    if len(got) == 4 and got[0] != shape[0]:
        return "The batch size differs: something concatenates along dimension 0, or has a batch size of its own."
    return (
        "x keeps the requested shape (B, C, H, W). A coefficient of shape (B,) has to become (B, 1, 1, 1) "
        "before it meets x: diffusion.extract(values, t, x_t.shape)."
    )


def _dtype_hint(method: str, dtype: str) -> str:
    if dtype == "float64":
        return "Something is in float64, as numpy's numbers are, and turns x into float64: use torch, or .float()."
    if "float" in dtype:
        return "Leave x in float32: no .half() and no .bfloat16()."
    if method == "sample":
        return (
            "sample returns floats in [−1, 1], as the network saw images: leave out * 255 and .to(torch.uint8). "
            "main.py converts them when it draws them."
        )
    return "x_{t-1} stays a float32 tensor: leave out .long(), .to(torch.uint8) and the like."


NOT_FINITE = (
    "Look for a division by 0 or the log of 0. At t = 0, posterior_variance is 0 (its log is −inf), and so is "
    "1 − alpha_bar of the step before."
)
NOT_FINITE_IN_DDIM = (
    "Look for the root of a negative number, or a division by 0. In the last step, t_prev = −1, alpha_bar_prev is 1; "
    "alpha_bar[−1] is the last entry of the tensor, and then 1 − alpha_bar / alpha_bar_prev in Eq. 16 is negative. "
    "Rounding can do the same to 1 − alpha_bar_prev − sigma²: .clamp(min=0) before the root."
)


def check_finite_images(y: Tensor, where: str, hint: str = NOT_FINITE) -> None:
    """No NaN and no infinity in y, of any shape."""
    bad = ~y.isfinite()
    if bad.any():
        raise CheckFailed(
            f"expected finite numbers, got {'NaN' if y.isnan().any() else 'infinity'} in {int(bad.sum())} of "
            f"{y.numel()} values {where}",
            hint,
            not_finite=int(bad.sum()),
        )


def check_range(driven: Tensor) -> dict[str, float]:
    """Samples (N, C, H, W) from networks that push x far to either side lie in [−1, 1] and use both halves of it."""
    low, high = driven.min().item(), driven.max().item()
    if not -1 <= low <= high <= 1:
        raise CheckFailed(
            f"expected samples in [−1, 1], got {low:.3g} … {high:.3g}",
            "Clamp to [−1, 1] at the very end of sample: .clamp(-1, 1).",
            low=low, high=high,
        )  # fmt: skip
    measured = {"low": low, "high": high} | at_least(min(-low, high), 0.5)
    if not (low <= -0.5 and high >= 0.5):
        raise CheckFailed(
            f"expected samples that can reach −1 and 1, got {low:.3g} … {high:.3g}",
            "Images live in [−1, 1] here, not in [0, 1]: sample returns x_0 as it is, only clamped.",
            **measured,
        )  # fmt: skip
    return measured


def changed_inputs(before: dict[str, Tensor], after: dict[str, Tensor]) -> list[str]:
    """The names of those that a call has changed in values or dtype: x_t (B, C, H, W) and t (B,)."""
    return [name for name, v in before.items() if name not in after or not _same(v, after[name].to(v.device))]


def check_left_alone(changed: dict[str, list[str]]) -> None:
    """No call has changed the schedule, the model or its inputs.

    Args:
        changed: for each method, the names of what calls of it have changed
    """
    for method, names in changed.items():
        if names:
            raise CheckFailed(
                f"expected {method} to change nothing but its own result, got a changed {', '.join(names)}",
                "Look for operations in place: +=, *=, .mul_(), .clamp_(), .sqrt_(), an assignment to x_t[…], or "
                ".requires_grad_() and .to() on the model. What a tensor of `diffusion` is turned into is a tensor of "
                "your own.",
                changed=names,
            )


def _same(a: Tensor, b: Tensor) -> bool:
    """torch.equal alone takes 1 for 1.0, and raises for dtypes that it can't compare."""
    return a.dtype == b.dtype and torch.equal(a, b)


def check_reproducible(first: Tensor, again: Tensor) -> dict[str, float]:
    """The same seed gives the same samples, (B, C, H, W) each; on a GPU up to the rounding of its kernels."""
    off = (first - again).abs().max().item() if first.shape == again.shape else float("inf")
    measured = {"difference": off} | at_most(off, SAME)
    if not off <= SAME:  # NaN is not
        raise CheckFailed(
            f"expected the same samples after the same torch.manual_seed, got a difference of up to {off:.3g}",
            "Draw all noise with torch's own generator (torch.randn, torch.randn_like), not with numpy, random or a "
            "generator that is seeded by the clock.",
            **measured,
        )
    return measured


SAME = 1e-4  # of samples: what a GPU's kernels may differ by


def _correlation(a: Tensor, b: Tensor) -> float:
    """Of two noises of one shape, uncentred, in standard errors: at 6, 2e-9 false alarms."""
    r = (a.double() * b.double()).mean() / (a.double().square().mean() * b.double().square().mean()).sqrt()
    return r.clamp(-1 + 1e-12, 1 - 1e-12).atanh().abs().item() * math.sqrt(max(a.numel() - 3, 1))


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
        if not a.x or not b.x:
            continue
        refuse_not_finite("what the network was shown", a.x[0], a.x[-1], b.x[0], b.x[-1])
        if not _correlation(a.x[0], b.x[0]) <= Z:
            raise CheckFailed(
                f"expected other noise with {name}, got the same x_T, or one that goes with it",
                "Something in sampler.py seeds the generator (torch.manual_seed, or a generator made anew with a "
                "fixed seed): seeding is left to the caller.",
            )
        if not (a.x[-1] - b.x[-1]).abs().max() > SAME:
            raise CheckFailed(
                f"expected other images with {name}, got the same ones",
                "x no longer depends on x_T or on the noise of the steps: what goes into the next step?",
            )
