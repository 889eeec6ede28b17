"""The time of a submission: deadlines, budgets, and a second try where the machine may have been busy."""

import time

import pytest

from grader.errors import TimedOut
from grader.grading_config import Time
from grader.student.budget import TimeBudget
from grader.student.deadlines import FACTOR, Deadlines, Pace
from grader.student.once import Once


class Slow:
    """A submission that takes so many seconds for each request."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.allowed = seconds, []

    def request(self, probe: str, *, seconds: float, **arguments: object) -> str:
        self.allowed.append(seconds)
        time.sleep(self.seconds)
        return probe


def deadlines(**time_: float) -> Deadlines:
    budget = TimeBudget(Time(**{"request": 20.0, "check": 60.0, "submission": 300.0} | time_))
    return Deadlines(Pace(1.0, 1.0, 1.0), budget)


def test_a_request_has_the_reference_s_time_times_the_factor_or_what_is_left():
    submission, few = Slow(), deadlines()
    few.ask(submission, "build")
    few.ask(submission, "forward", 0.5)
    few.ask(submission, "forward", 4.0)
    assert submission.allowed == pytest.approx([20, 20, 4 * FACTOR], abs=0.1)


def test_on_a_slower_machine_everything_lasts_longer():
    submission, few = Slow(), deadlines()
    few.budget.slowdown = 3.0
    few.ask(submission, "build")
    few.ask(submission, "forward", 4.0)
    assert submission.allowed == pytest.approx([60, 12 * FACTOR], abs=0.1)


def test_whoever_uses_every_deadline_to_the_full_has_soon_used_up_the_budget():
    submission, few = Slow(0.05), deadlines(check=0.12, submission=0.3)
    for _ in range(3):
        few.ask(submission, "build")
    with pytest.raises(TimedOut, match=r"a check has 0.12 s"):
        few.ask(submission, "build")
    few.budget.start_check()
    for _ in range(3):
        few.ask(submission, "build")
    few.budget.start_check()
    with pytest.raises(TimedOut, match=r"a submission 0.3 s"):
        few.ask(submission, "build")


def test_what_the_reference_s_pace_grants_costs_nothing():
    submission, few = Slow(0.05), deadlines(check=0.12, submission=0.12)
    for _ in range(5):
        few.ask(submission, "forward", 1.0)
    assert few.budget.of_submission == 0


def test_the_first_timeout_is_forgotten_and_the_second_one_is_not():
    calls = []

    def make() -> None:
        calls.append(None)
        raise TimedOut("too late")

    once: Once[None] = Once(make)
    for _ in range(4):
        with pytest.raises(TimedOut):
            once()
    assert len(calls) == 2
