"""A student's sampler as the checks use it. The judge answers in place of the network, so it sees every call itself."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed
from grader.checks.measure_step import Step
from grader.checks.sampler_contract import NOT_FINITE, changed_inputs, check_finite_images, check_images
from grader.checks.schedule import Schedule
from grader.student.deadlines import Deadlines
from grader.student.sampler_record import Record
from grader.student.trace import Trace, usable_x
from grader.submission.process import AnySubmission, Reply

Model = Callable[[Tensor, Tensor], Tensor]


class Sampler:
    """One DDPMSampler on a schedule, in the worker."""

    call = "DDPMSampler(diffusion, device)"
    not_finite, too_many = NOT_FINITE, "Ask the model once in a step."  # hints

    def __init__(
        self, submission: AnySubmission, deadlines: Deadlines, schedule: Schedule, *, record: Record,
        name: str = "sampler", shares_with: str | None = None,
    ) -> None:  # fmt: skip
        """Build it; what building changes is noted, too.

        Args:
            record: what is seen of it is added here
            name: in the worker; one of the same name is replaced
            shares_with: the name of another sampler, whose diffusion object this one gets too
        """
        self.submission, self.deadlines, self.schedule = submission, deadlines, schedule
        self.record, self.name = record, name
        about = [schedule.T, schedule.beta_start, schedule.beta_end]
        reply = deadlines.ask(
            submission, "build_sampler", name=name, schedule=about, shares_with=shares_with, **self.few
        )  # fmt: skip
        record.add_changes(self.call, reply.values["changed"])

    @property
    def few(self) -> dict[str, Any]:
        """What a sampler is built with besides, for the worker."""
        return {}

    @property
    def calls(self) -> int:
        """How often one sampling asks the network."""
        return self.schedule.T

    def reply(self, x_t: Tensor, t: Tensor, eps: Tensor, *, seed: int, **more: Tensor) -> Reply:
        """One call of p_sample on x_t (B, C, H, W), t (B,), whatever comes back; the model answers eps."""
        inputs = {"x_t": x_t, "t": t, **more}

        def answer(facts: dict[str, Any], tensors: dict[str, Tensor]) -> Tensor:
            x = usable_x(facts, tensors, x_t.shape)
            self.record.add_question(x_t, t, x, tensors)
            return eps

        reply = self.deadlines.ask(
            self.submission, "p_sample", self.deadlines.pace.sampling, name=self.name, seed=seed,
            tensors=inputs, answer=answer,
        )  # fmt: skip
        changed = changed_inputs(inputs, reply.tensors)
        self.record.add_changes("p_sample", [*reply.values["changed"], *changed])
        return reply

    def p_sample(
        self, x_t: Tensor, t: int | Tensor, eps: Tensor, *, seed: int, finite: bool = True, **more: Tensor
    ) -> Tensor:  # fmt: skip
        """The same, verified: x_{t-1} (B, C, H, W), as x_t, and finite unless that isn't asked for."""
        steps = torch.full((len(x_t),), t) if isinstance(t, int) else t
        reply = self.reply(x_t, steps, eps, seed=seed, **more)
        y = self.images("p_sample", reply, x_t.shape)
        if finite:
            check_finite_images(y, f"from p_sample at t = {t if isinstance(t, int) else t.tolist()}", self.not_finite)
        return y

    def step(self, t: int, inputs: tuple[Tensor, Tensor], *, seed: int) -> Step:
        x_t, eps = inputs
        return Step(self.schedule, t, x_t, eps, self.p_sample(x_t, t, eps, seed=seed))

    def trace(self, model: Model, shape: Sequence[int], *, seed: int | None) -> Trace:
        """One sampling, with every call of the model recorded. A sampler that never stops calling is stopped."""
        trace = Trace()

        def answer(facts: dict[str, Any], tensors: dict[str, Tensor]) -> Tensor:
            if len(trace.x) > 3 * self.calls:
                raise CheckFailed(
                    f"expected {self.calls} calls of the model, got more than {3 * self.calls}",
                    self.too_many,
                )
            x, t = trace.add(facts, tensors, shape)
            trace.eps.append(model(x, t))
            return trace.eps[-1]

        trace.result = self.deadlines.ask(
            self.submission, "sample", self.deadlines.pace.sampling * self.calls,
            name=self.name, shape=list(shape), seed=seed, answer=answer,
        )  # fmt: skip
        self.record.add_changes("sample", trace.result.values["changed"])
        self.record.add_sampling(self.visited(trace), trace)
        return trace

    def visited(self, trace: Trace) -> Schedule:
        """The schedule that a sampling follows."""
        return self.schedule

    def sample(self, model: Model, shape: Sequence[int], *, seed: int | None) -> Tensor:
        """Samples, verified: of the requested shape (B, C, H, W), float32, finite."""
        return self.verified(self.trace(model, shape, seed=seed), shape)

    def verified(self, trace: Trace, shape: Sequence[int]) -> Tensor:
        """The result of a sampling, verified: of the requested shape (B, C, H, W), float32, finite."""
        y = self.images("sample", trace.result, shape)
        check_finite_images(y, "in the samples", self.not_finite)
        return y

    def images(self, method: str, reply: Reply, shape: Sequence[int]) -> Tensor:
        """What a method returned, verified: of the requested shape (B, C, H, W), float32, on the device."""
        return check_images(method, reply.values, reply.tensors.get("y"), shape, self.submission.device)
