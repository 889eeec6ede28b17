"""What was seen of a sampler in a grading so far, whichever check asked: no moment and no shape goes unlooked at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from grader.checks.deviations import Deviation
from grader.checks.finding import CheckFailed
from grader.checks.measure_step import Step
from grader.checks.sampler_calls import order_mistake
from grader.checks.samplings import Judged, judge_sampling
from grader.checks.schedule import Schedule
from grader.checks.step_errors import steps_of
from grader.checks.transitions import FORMS, Form
from grader.student.trace import INTEGERS, Trace, is_usable, rounding_of

SAME = 1e-6  # relative to the largest value: float32


@dataclass
class Record:
    samplings: list[Judged] = field(default_factory=list)
    changed: dict[str, list[str]] = field(default_factory=dict)  # method → what a call of it has changed
    misasked: list[CheckFailed] = field(default_factory=list)  # p_sample asked the network something else
    forms: ClassVar[list[Form]] = FORMS  # that are right

    def add_changes(self, method: str, changed: list[str]) -> None:
        known = self.changed.setdefault(method, [])
        known += [name for name in changed if name not in known]

    def add_question(self, x_t: Tensor, t: Tensor, x: Tensor, asked: Mapping[str, Tensor]) -> None:
        """Note a call of the network by p_sample, which has to be on its own x_t and t.

        Args:
            x_t, t: what p_sample was given, (B, C, H, W) and (B,)
            x: the same x as `asked` has, float32
            asked: x and t as the network got them
        """
        allowed = max(SAME, rounding_of(asked["x"])) * x_t.abs().max().clamp(min=1)
        off = (x - x_t).abs().max()
        if not off <= allowed:
            self.misasked.append(
                CheckFailed(
                    f"expected p_sample to ask the network about its x_t, got another x, off by up to {off:.3g}",
                    "eps_theta(x_t, t): the network sees x_t as p_sample got it, not a scaled, clamped or noised one.",
                )
            )
        seen = asked.get("t")
        if not is_usable(seen, len(x)) or seen is None or seen.dtype not in INTEGERS:
            return  # trace.timesteps says so
        if not (seen.flatten() == t).all():
            self.misasked.append(
                CheckFailed(
                    f"expected p_sample to ask the network about its t, {_few(t)}, got {_few(seen)}",
                    "eps_theta(x_t, t): the network gets t as p_sample got it.",
                )
            )

    def add_sampling(self, schedule: Schedule, trace: Trace) -> None:
        """Judge every step of a sampling; one that can't be judged is of no right form."""
        result = trace.result.tensors.get("y")
        about = schedule.about
        if result is None or not result.is_floating_point():
            self.samplings.append(self._hopeless(about, "no images"))
            return
        about += f" and shape {tuple(result.shape)}"
        if trace.steps != schedule.visits:
            self.samplings.append(self._hopeless(about, f"another order: {self.order_mistake(trace.steps, schedule)}"))
            return
        numbers = range(schedule.T - 1, -1, -1)
        made = steps_of(schedule, numbers, trace.x, trace.eps, result.float())[::-1]
        if len(made) < schedule.T:
            found = self._hopeless(about, "values that are not finite, or have run away, or images of another shape")
        else:
            found = self.judge(about, made, result.float(), trace.rounding)
        self.samplings.append(found)

    def order_mistake(self, ts: list[int], schedule: Schedule) -> str:
        return order_mistake(ts, schedule.T)[0]

    def judge(self, about: str, steps: list[Step], result: Tensor, rounding: float) -> Judged:
        return judge_sampling(about, steps, result, rounding)

    def _hopeless(self, about: str, what: str) -> Judged:
        """A sampling that is of no right form."""
        return Judged(about, 0, dict.fromkeys(self.forms, Deviation(math.inf, what)))


def _few(t: Tensor) -> str:
    """The first numbers of t, of any shape."""
    numbers = t.flatten().tolist()
    return ", ".join(map(str, numbers[:4])) + (", …" if len(numbers) > 4 else "")
