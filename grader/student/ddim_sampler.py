"""A student's DDIMSampler as the checks use it: level 4's (sampler.py), with steps over any distance."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from grader.checks import ddim_samplings, ddim_timesteps
from grader.checks.ddim_step import Jump
from grader.checks.measure_step import Step
from grader.checks.sampler_contract import NOT_FINITE_IN_DDIM
from grader.checks.samplings import Judged
from grader.checks.schedule import Schedule
from grader.checks.subsequence import Subsequence, visited
from grader.checks.transitions import Form
from grader.student.deadlines import Deadlines
from grader.student.sampler import Sampler
from grader.student.sampler_record import Record
from grader.student.trace import Trace
from grader.submission.process import AnySubmission


@dataclass
class DDIMRecord(Record):
    """What was seen of DDIM samplers."""

    forms: ClassVar[list[Form]] = ddim_samplings.DDIM.names

    def order_mistake(self, ts: list[int], schedule: Schedule) -> str:
        assert isinstance(schedule, Subsequence), "which is what DDIM samplings follow"
        return ddim_timesteps.mistake(ts, schedule.whole.T, schedule.T)[0]

    def judge(self, about: str, steps: list[Step], result: Tensor, rounding: float) -> Judged:
        return ddim_samplings.judge(about, steps, result, rounding)


class DDIMSampler(Sampler):
    """One DDIMSampler on a schedule, in the worker."""

    call = "DDIMSampler(diffusion, device, steps, eta)"
    not_finite = NOT_FINITE_IN_DDIM
    too_many = "Ask the model once in a step: DDIM visits `steps` of the T timesteps only, see the docstring."

    def __init__(
        self, submission: AnySubmission, deadlines: Deadlines, schedule: Schedule, *, record: Record,
        steps: int, eta: float, name: str = "sampler", shares_with: str | None = None,
    ) -> None:  # fmt: skip
        """Build it, see Sampler; it makes `steps` steps, with this eta."""
        self.steps, self.eta = steps, eta
        super().__init__(submission, deadlines, schedule, record=record, name=name, shares_with=shares_with)

    @property
    def few(self) -> dict[str, Any]:
        return {"few": [self.steps, self.eta]}

    @property
    def calls(self) -> int:
        return self.steps

    def jump(self, t: int, t_prev: int, inputs: tuple[Tensor, Tensor], *, seed: int) -> Jump:
        """One call of p_sample, from t to t_prev, on x_t and eps (B, C, H, W)."""
        x_t, eps = inputs
        out = self.p_sample(x_t, t, eps, seed=seed, t_prev=torch.full((len(x_t),), t_prev))
        schedule = Subsequence.jump(self.schedule, t, t_prev, self.eta)
        return Jump(schedule, schedule.last, x_t, eps, out)

    def visited(self, trace: Trace) -> Subsequence:
        """The timesteps that a sampling has visited, if they are right, else those that it should have."""
        right = ddim_timesteps.are_right(trace.steps, self.schedule.T, self.steps)
        ts = trace.steps if right else visited(self.schedule.T, self.steps)
        return Subsequence.of(self.schedule, ts[::-1], self.eta)
