"""Level 1, the contract: what forward(x, t) has to return."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed


def check_output(
    facts: dict[str, Any], came: Tensor | None, shape: Sequence[int], dtype: torch.dtype, device: str
) -> Tensor:
    """Type, shape, dtype and device of the answer are right, both as the worker describes it and as it arrived.

    Args:
        facts: the worker's description
        came: the answer, (B, C, H, W) if right; None where it could not be sent
        shape: expected
    Returns:
        the answer
    """
    y = check_shape(facts, came, shape)
    kind = facts["type"]
    if kind != "Tensor":
        raise CheckFailed(f"expected a plain torch.Tensor, got {kind}", "Return the tensor itself from forward.")
    if facts["dtype"] != str(dtype) or y.dtype != dtype:
        raise CheckFailed(
            f"expected x's dtype {_short(dtype)}, got {_short(facts['dtype'])}",
            "forward converts somewhere (.half(), .double(), .long()): leave x's dtype as it is.",
        )
    if facts["device"] != device.split(":")[0]:
        raise CheckFailed(f"expected an output on {device}, got one on {facts['device']}", "Don't move the output.")
    return y


def check_shape(facts: dict[str, Any], y: Tensor | None, shape: Sequence[int]) -> Tensor:
    """The noise has x's shape (B, C, H, W); y is None where the answer could not be sent. Returns it."""
    if facts.get("shape") is None:
        raise CheckFailed(
            f"expected a tensor of shape {tuple(shape)}, got {facts['type']}",
            "forward must return the predicted noise itself: no tuple, no dataclass, no None. Is the `return` there?",
        )
    got = tuple(facts["shape"] if y is None else y.shape)
    if got == tuple(shape):
        if y is None:
            raise CheckFailed("expected a dense tensor, got a sparse, complex or meta one", "Return a plain tensor.")
        return y
    hint = "Print x.shape after each layer: the last one has to bring back x's own shape."
    if len(got) == 4 and got[2:] != tuple(shape[2:]):
        hint = (
            "Height and width differ: use padding=kernel_size // 2, and on the way up interpolate to the size of the "
            "skip. 28 halves to 14 and 7, then to 3, and twice 3 is not 7."
        )
    elif len(got) == 4 and got[0] == shape[0]:
        hint = "The number of channels differs: the last layer has to put out config.image_channels."
    elif len(got) == 4:
        hint = "The batch size differs: something concatenates or reshapes along dimension 0."
    raise CheckFailed(f"expected shape {tuple(shape)}, got {got}", hint)


def not_at_this_size(error: Exception, data: str, shape: tuple[int, int, int]) -> CheckFailed:
    """The failure of a network that does not build or run on a data set's images of `shape` (C, H, W)."""
    channels, height, width = shape
    said = str(getattr(error, "message", error)).splitlines()[0]
    where = f" at {location}" if (location := getattr(error, "location", "")) else ""
    return CheckFailed(
        f"expected a network that builds and runs on {channels}×{height}×{width} images ({data}), got{where}: {said}",
        "Take sizes and channels from config. Halving: 8 → 4 → 2 → 1, 28 → 14 → 7 → 4 (pooling with ceil_mode=True, or "
        "convolutions with stride=2, padding=1), 32 → 16 → 8 → 4; on the way up interpolate to the size of the skip, "
        "size=skip.shape[-2:], in place of doubling. Patches have to divide 8, 28 and 32, as 2 and 4 do.",
    )


def check_floating(y: Tensor) -> None:
    """Under autocast y, of any shape, may have another floating dtype than x, but no other kind of dtype."""
    if y.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise CheckFailed(
            f"expected floating-point numbers, got {_short(y.dtype)}",
            "forward converts somewhere (.long(), .bool(), a comparison): leave x's kind of numbers as it is.",
        )


def check_finite(y: Tensor, where: str) -> dict[str, float]:
    """No NaN and no infinity in y, of any shape."""
    bad = ~y.isfinite()
    if bad.any():
        kind = "NaN" if y.isnan().any() else "infinity"
        raise CheckFailed(
            f"expected finite numbers, got {kind} in {int(bad.sum())} of {y.numel()} values {where}",
            "Look for a division by t or by a variance, log or sqrt of something that can be 0, exp of something "
            "large, or a raw t (up to T − 1) that is not embedded.",
            not_finite=int(bad.sum()),
        )
    return {"largest": y.abs().max().item()}


def _short(dtype: object) -> str:
    return str(dtype).removeprefix("torch.")
