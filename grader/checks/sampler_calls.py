"""What a recording network saw while `sample` ran: which t, in which order, and the first x."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from grader.checks.finding import CheckFailed, refuse_not_finite, tightest
from grader.checks.noise import most_alike, scale_problem, shape_problem

LOOP = "Look at the loop in sample: it visits T−1, T−2, …, 1, 0, and in diffusion.py t = 0 is the least noisy step."


def order_mistake(ts: list[int], T: int) -> tuple[str, str]:
    """What was done instead of T−1, …, 0, and the hint for it."""
    down = list(range(T - 1, -1, -1))
    if not ts:
        return "the model was never called", "sample must ask the model for the noise in every step (Algorithm 2)."
    if ts[0] == T and ts == list(range(T, T - len(ts), -1)):
        return f"it starts at t = T = {T}", f"The paper counts from 1 to T, this repository from 0 to T−1. {LOOP}"
    if len(set(ts)) == 1 and T > 1:
        return f"t was {ts[0]} in all {len(ts)} calls", f"t has to follow the loop's counter. {LOOP}"
    if ts == down[::-1]:
        return "t goes up from 0 to T−1", f"Sampling starts from noise, the largest t, and goes down. {LOOP}"
    if len(ts) == 2 * T and ts[::2] == ts[1::2] == down:
        return "every step calls the model twice", "Ask the model once in a step and keep its answer in a variable."
    if ts == down[: len(ts)]:
        return f"it stops at t = {ts[-1]}", f"All steps down to t = 0 are made, and range excludes its end. {LOOP}"
    if ts == down[-len(ts) :]:
        return f"it starts at t = {ts[0]}", f"x_T goes into step T−1 = {T - 1} first, and none is left out. {LOOP}"
    if ts == down[1 : 1 + len(ts)]:
        return f"it starts at t = {ts[0]} and stops at t = {ts[-1]}", f"Steps are missing at both ends. {LOOP}"
    if len(ts) < T and all(a > b for a, b in pairwise(ts)):
        return (
            f"only {len(ts)} of {T} steps are made",
            "Leaving steps out is DDIM (Song et al. 2021), with other formulas; Algorithm 2 makes all T.",
        )
    if sorted(ts) == down[::-1]:
        return "the steps come in another order", LOOP
    i = next((i for i, (a, b) in enumerate(zip(ts, down, strict=False)) if a != b), min(len(ts), T))
    got = f"t = {ts[i]}" if i < len(ts) else "no call"
    return f"call {i + 1} has {got} where t = {down[i]} belongs" if i < T else f"{len(ts)} calls are made", LOOP


def check_order(ts: list[int], T: int) -> dict[str, int]:
    """The model is called at t = T−1, …, 1, 0, once each and in this order."""
    if ts == list(range(T - 1, -1, -1)):
        return {"calls": len(ts), "T": T}
    what, hint = order_mistake(ts, T)
    shown = ", ".join(map(str, ts[:4])) + (", …, " + ", ".join(map(str, ts[-2:])) if len(ts) > 6 else "")
    raise CheckFailed(
        f"expected calls of the model at t = {T - 1}, {T - 2}, …, 0; {what} (t = {shown})",
        hint, calls=len(ts), T=T, first=ts[0] if ts else None, last=ts[-1] if ts else None,
    )  # fmt: skip


def check_timestep_tensors(
    dtypes: Sequence[str | None],
    shapes: Sequence[Sequence[int] | None],
    devices: Sequence[str | None],
    B: int,
    device: str,
) -> dict[str, int]:
    """In every call t is an integer tensor of shape (B,) on the device.

    Args:
        dtypes, shapes, devices: of t in each call; None where t was no tensor
    """
    make = "Build it with torch.full((B,), step, device=self.device); the network embeds the integer."
    for dtype, shape, where in zip(dtypes, shapes, devices, strict=True):
        if dtype is None or shape is None:
            raise CheckFailed(f"expected t as an integer tensor of shape ({B},), got no tensor", make)
        if str(dtype) not in ("torch.int64", "torch.int32"):
            raise CheckFailed(
                f"expected t as int64 (or int32), got {dtype}",
                f"No float, no division by T. {make}" if "float" in str(dtype) else make,
                dtype=str(dtype),
            )
        if list(shape) != [B]:
            raise CheckFailed(
                f"expected t of shape ({B},) for a batch of {B}, got {tuple(shape)}",
                f"The network wants a t for every image of the batch. {make}",
                shape=list(shape),
            )
        if str(where).split(":")[0] != str(device).split(":")[0]:
            raise CheckFailed(
                f"expected t on {device}, got it on {where}",
                "Pass device=self.device where t is made: on a GPU the model and t would be apart.",
                device=str(where),
            )
    return {"calls": len(dtypes), "B": B}


def check_starting_noise(x_T: Tensor) -> dict[str, float]:
    """The first x, x_T (B, C, H, W), is standard normal, and independent over batch, channels and pixels.

    4 moments and the largest correlation along 4 axes, each at 6 standard errors. At (64, 3, 16, 16), n = 49152: mean
    known to 0.027, variance to 0.038, 2300 pairs; 5e-6 false alarms. Use at least 4096 scalars.
    """
    refuse_not_finite("x_T", x_T)
    problem, numbers = scale_problem(x_T)
    zero = not x_T.any()
    if problem is None:
        problem, more = shape_problem(x_T)
        numbers |= more | tightest(numbers, more)
    axis, correlations = most_alike(
        x_T - x_T.mean(), {"columns": 3, "rows": 2, "channels": 1, "images of the batch": 0}
    )
    numbers |= correlations | tightest(numbers, correlations)
    # noise repeated over the batch also has odd moments, as there is less of it: then report the repetition
    if axis and not zero:
        problem = f"{axis} that repeat each other"
    if problem:
        hint = (
            f"Draw x_T in the full shape (B, C, H, W): {axis} must not share their noise." if axis and not zero
            else "Algorithm 2, line 1: x_T is drawn from N(0, I). torch.randn is normal, torch.rand uniform."
        )  # fmt: skip
        raise CheckFailed(f"expected x_T from N(0, I), got {problem}", hint, **numbers)
    return numbers


def check_eval(training: Sequence[bool]) -> dict[str, int]:
    """The model is in eval mode in every call; `training` has one entry per call."""
    if any(training):
        raise CheckFailed(
            f"expected the model in eval mode, got train mode in {sum(training)} of {len(training)} calls",
            "Call model.eval() before the loop in sample: dropout and batch norm behave differently while training.",
            calls=len(training), in_train_mode=sum(training),
        )  # fmt: skip
    return {"calls": len(training)}


def check_no_grad(grad: Sequence[bool], output_requires_grad: bool = False) -> dict[str, int]:
    """No gradient is recorded while sampling; `grad` has one entry per call, whether gradients were on."""
    if any(grad) or output_requires_grad:
        raise CheckFailed(
            f"expected no gradients, got {sum(grad)} of {len(grad)} calls of the model with gradients recorded",
            "Put @torch.no_grad() above sample (and p_sample): else every one of T steps stays in memory.",
            calls=len(grad), with_grad=sum(grad),
        )  # fmt: skip
    return {"calls": len(grad)}
