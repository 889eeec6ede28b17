"""The time of a submission: what it may use beyond the reference's own pace, and what it has used."""

from dataclasses import dataclass

from grader.grading_config import Time


@dataclass
class TimeBudget:
    """What is left of it. On a machine that is busy elsewhere, everything lasts `slowdown` times as long."""

    time: Time
    slowdown: float = 1.0  # of this machine now, against when the reference's pace was measured
    of_check: float = 0.0  # seconds used, as if there were no slowdown
    of_submission: float = 0.0

    def start_check(self) -> None:
        self.of_check = 0.0

    def left(self) -> float:
        """Seconds for one request."""
        seconds = (self.time.request, self.time.check - self.of_check, self.time.submission - self.of_submission)
        return max(0.0, min(seconds)) * self.slowdown

    def spend(self, seconds: float) -> None:
        used = max(0.0, seconds) / self.slowdown
        self.of_check += used
        self.of_submission += used
