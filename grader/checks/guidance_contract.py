"""Level 6, the contract of guided_eps: what it returns, and what it leaves alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from grader.checks.finding import CheckFailed

FLOAT = "torch.float32"


def check_guided(facts: dict[str, Any], came: Tensor | None, shape: Sequence[int], device: str) -> Tensor:
    """guided_eps returns a plain, finite float32 tensor of x_t's shape, on its device.

    Args:
        facts: the worker's description
        came: (B, C, H, W) if right; None where it could not be sent
        shape: expected
    Returns:
        what came
    """
    got = facts.get("shape") if came is None else list(came.shape)
    if got is None:
        raise CheckFailed(
            f"expected a tensor of shape {tuple(shape)}, got {facts['type']}",
            "guided_eps returns the noise and nothing else: no tuple, no list. Is the `return` there?",
        )
    if tuple(got) != tuple(shape):
        twice = tuple(got) == (2 * shape[0], *shape[1:])
        raise CheckFailed(
            f"expected x_t's shape {tuple(shape)}, got {tuple(got)}",
            "Twice the batch comes back: take the two answers apart, .chunk(2), and put them together by Eq. 6."
            if twice
            else "The answer has x_t's shape, (B, C, H, W): look where a dimension is dropped, or where .chunk divides "
            "another one than the batch.",
        )
    if came is None or facts["type"] != "Tensor":
        kind = facts["type"] if facts["type"] != "Tensor" else "a sparse, complex or meta tensor"
        raise CheckFailed(f"expected a plain, dense torch.Tensor, got {kind}", "Return a plain tensor.")
    if facts["dtype"] != FLOAT or str(came.dtype) != FLOAT:
        raise CheckFailed(
            f"expected float32, as x_t is, got {str(facts['dtype']).removeprefix('torch.')}",
            "Leave the model's answers in float32: no .half(), .double() or numpy.",
        )
    if facts["device"] != device.split(":")[0]:
        raise CheckFailed(f"expected a result on {device}, got one on {facts['device']}", "Don't move the result.")
    if not came.isfinite().all():
        raise CheckFailed(
            f"expected finite numbers, got {'NaN' if came.isnan().any() else 'infinity'} in "
            f"{int((~came.isfinite()).sum())} of {came.numel()} values",
            "Eq. 6 needs no division, no root and no logarithm: where do they come from?",
        )
    return came


def check_inputs_left(changed: Mapping[str, Sequence[str]]) -> None:
    """No call of forward or guided_eps has changed its inputs, or the model.

    Args:
        changed: for each of the two, the names of what its calls have changed
    """
    for name, what in changed.items():
        if what:
            raise CheckFailed(
                f"expected {name} to change nothing but its own result, got a changed {', '.join(what)}",
                "Look for operations in place: y[…] = num_classes, +=, .mul_(), .fill_(), .masked_fill_(). A tensor of "
                "your own is made by torch.full_like(y, num_classes), torch.where, or .clone().",
                changed=list(what),
            )
