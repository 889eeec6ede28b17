"""What a check can say besides "passed"."""

import math
from dataclasses import is_dataclass

from torch import Tensor


class CheckFailed(Exception):
    """The claim does not hold.

    Args:
        message: expected …, got …, in one line
        hint: where to look first, written for the likely mistake
        measurements: the numbers behind it, for results.json
    """

    def __init__(self, message: str, hint: str, **measurements: object) -> None:
        super().__init__(message)
        self.message, self.hint, self.measurements = message, hint, measurements


def at_most(value: float, limit: float) -> dict[str, float]:
    """For the measurements: the value, its limit, and how far within it the value is.

    The margin is 1 far within the limit, 0 at the limit, and −1 where it is exceeded by its own size or more, or where
    either is not a number. Values that have to be exact have none.
    """
    if limit == 0:
        return {"value": value, "limit": limit}
    return {"value": value, "limit": limit, "margin": max(-1.0, 1 - value / limit) if limit > 0 else -1.0}


def at_least(value: float, limit: float) -> dict[str, float]:
    """The same for a value that has to be large."""
    return {"value": value, "limit": limit, "margin": max(-1.0, 1 - limit / value) if value > 0 else -1.0}


def tightest(*found: dict[str, float]) -> dict[str, float]:
    """Value, limit and margin of whichever comparison comes closest to a failure."""
    closest = min(found, key=lambda one: one["margin"])
    return {name: closest[name] for name in ("value", "limit", "margin") if name in closest}


def all_finite(*found: object) -> bool:
    """Whether all tensors and numbers in these are finite: they may lie in lists, tuples, dicts and dataclasses.

    A limit can't be trusted with one that is not: `value > limit` is false for NaN, and so are both sides of a pair.
    """
    for one in found:
        if isinstance(one, Tensor):
            ok = bool(one.isfinite().all())
        elif isinstance(one, float):
            ok = math.isfinite(one)
        elif isinstance(one, (list, tuple)):
            ok = all_finite(*one)
        elif isinstance(one, dict):
            ok = all_finite(*one.values())
        elif is_dataclass(one):
            ok = all_finite(*vars(one).values())
        else:
            ok = True
        if not ok:
            return False
    return True


def refuse_not_finite(what: str, *found: object) -> None:
    """Raise CheckFailed unless all of these, which are `what`, are finite."""
    if not all_finite(*found):
        raise CheckFailed(
            f"expected finite numbers, got NaN or infinity in {what}",
            "Look for a division by 0, or the log or root of something that can be 0 or negative.",
        )


class NotJudged(Exception):
    """The claim could not be checked, and why; it earns no points. `measurements` as of CheckFailed."""

    def __init__(self, message: str, **measurements: object) -> None:
        super().__init__(message)
        self.measurements = measurements
