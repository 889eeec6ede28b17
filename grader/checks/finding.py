"""What a check can say besides "passed"."""


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
    """For the measurements: the limit, and how far within it a value is.

    The margin is 1 far within the limit, 0 at the limit, and −1 where it is exceeded by its own size or more. Values
    that have to be exact have none.
    """
    return {"limit": limit} | ({"margin": max(-1.0, 1 - value / limit)} if limit > 0 else {})


def at_least(value: float, limit: float) -> dict[str, float]:
    """The same for a value that has to be large."""
    return {"limit": limit, "margin": max(-1.0, 1 - limit / value) if value > 0 else -1.0}


def least_margin(*found: dict[str, float]) -> dict[str, float]:
    """The margin of whichever comparison comes closest to a failure."""
    return {"margin": min(one["margin"] for one in found)}


class NotJudged(Exception):
    """The claim could not be checked, and why; it earns no points."""
