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


class NotJudged(Exception):
    """The claim could not be looked at, and why; it gives no points."""
