"""A student's sampler as the checks use it. The judge answers in place of the network, so it sees every call itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import Step
from grader.checks.sampler_contract import check_finite_images, check_images
from grader.checks.schedule import Schedule
from grader.student.deadlines import Deadlines
from grader.submission.process import AnySubmission, Reply

Model = Callable[[Tensor, Tensor], Tensor]
REAL = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
)  # fmt: skip
INTEGERS = (torch.int32, torch.int64)


@dataclass
class Trace:
    """All calls of the model during one sampling, and the result."""

    facts: list[dict[str, Any]] = field(default_factory=list)  # of each call, as the worker describes it
    x: list[Tensor] = field(default_factory=list)  # (B, C, H, W) float32, of each call
    t: list[Tensor | None] = field(default_factory=list)  # (B,) or a single number; None where it was unusable
    eps: list[Tensor] = field(default_factory=list)  # (B, C, H, W), what the judge answered
    result: Reply = field(default_factory=lambda: Reply({}, {}))  # empty until it has come

    @property
    def steps(self) -> list[int]:
        """The t of each call; −1 where it was no tensor. A batch with different t counts as its largest."""
        return [-1 if t is None or not t.numel() else int(t.max()) for t in self.t]

    def of_t(self, key: str) -> list[Any]:
        return [facts["t"].get(key) for facts in self.facts]

    def judged_steps(self, T: int) -> list[int]:
        """`steps`, if they are right or t was an integer in every call: a fraction doesn't say which step it means."""
        steps = self.steps
        bad = (facts["t"] for t, facts in zip(self.t, self.facts, strict=True) if t is None or t.dtype not in INTEGERS)
        about = next(bad, None)
        if about is None or steps == list(range(T - 1, -1, -1)):
            return steps
        kind = str(about.get("dtype") or about.get("type")).removeprefix("torch.")
        shape = "" if about.get("shape") is None else f" of shape {tuple(about['shape'])}"
        raise NotJudged(
            f"waits for trace.timesteps: the network gets t as {kind}{shape}, not as one integer for each image, so "
            "which step it means can't be told"
        )


def is_usable(t: Tensor | None, batch: int) -> bool:
    """Whether t is usable at all: real, finite numbers, one for all images or one for each."""
    if t is None or t.dtype not in REAL or t.numel() not in (1, batch):
        return False
    return bool(t.isfinite().all())


class Sampler:
    """One DDPMSampler on a schedule, in the worker."""

    def __init__(self, submission: AnySubmission, deadlines: Deadlines, schedule: Schedule, *, seed: int) -> None:
        self.submission, self.deadlines, self.schedule, self.seed = submission, deadlines, schedule, seed
        about = [schedule.T, schedule.beta_start, schedule.beta_end]
        deadlines.ask(submission, "build_sampler", name="sampler", schedule=about)

    def reply(self, x_t: Tensor, t: Tensor, eps: Tensor, *, seed: int) -> Reply:
        """One call of p_sample on x_t (B, C, H, W), t (B,), whatever comes back; the model answers eps."""
        return self.deadlines.ask(
            self.submission, "p_sample", self.deadlines.pace.sampling, name="sampler", seed=seed,
            tensors={"x_t": x_t, "t": t}, answer=lambda facts, tensors: eps,
        )  # fmt: skip

    def p_sample(self, x_t: Tensor, t: int | Tensor, eps: Tensor, *, seed: int, finite: bool = True) -> Tensor:
        """The same, verified: x_{t-1} (B, C, H, W), as x_t, and finite unless that isn't asked for."""
        steps = torch.full((len(x_t),), t) if isinstance(t, int) else t
        reply = self.reply(x_t, steps, eps, seed=seed)
        y = self.images("p_sample", reply, x_t.shape)
        if finite:
            check_finite_images(y, f"from p_sample at t = {t if isinstance(t, int) else t.tolist()}")
        return y

    def step(self, t: int, inputs: tuple[Tensor, Tensor], *, seed: int) -> Step:
        x_t, eps = inputs
        return Step(self.schedule, t, x_t, eps, self.p_sample(x_t, t, eps, seed=seed))

    def trace(self, model: Model, shape: Sequence[int], *, seed: int | None) -> Trace:
        """One sampling, with every call of the model recorded. A sampler that never stops calling is stopped."""
        trace = Trace()

        def answer(facts: dict[str, Any], tensors: dict[str, Tensor]) -> Tensor:
            x, t = tensors.get("x"), tensors.get("t")
            if x is None or x.dtype not in REAL or x.shape != torch.Size(shape):
                got = facts.get("x", {}).get("shape", facts.get("x", {}).get("type"))
                raise CheckFailed(
                    f"expected the model to be called with x of shape {tuple(shape)}, got {got}",
                    "x keeps the shape that sample was asked for, (B, C, H, W), through all steps.",
                )
            if len(trace.x) > 3 * self.schedule.T:
                raise CheckFailed(
                    f"expected {self.schedule.T} calls of the model, got more than {3 * self.schedule.T}",
                    "Ask the model once in a step.",
                )
            trace.facts.append(facts)
            trace.x.append(x.float())
            usable = t if is_usable(t, len(x)) else None
            trace.t.append(usable)
            trace.eps.append(model(x.float(), torch.zeros(1) if usable is None else usable))
            return trace.eps[-1]

        trace.result = self.deadlines.ask(
            self.submission, "sample", self.deadlines.pace.sampling * self.schedule.T,
            name="sampler", shape=list(shape), seed=seed, answer=answer,
        )  # fmt: skip
        return trace

    def sample(self, model: Model, shape: Sequence[int], *, seed: int | None) -> Tensor:
        """Samples, verified: of the requested shape (B, C, H, W), float32, finite."""
        return self.verified(self.trace(model, shape, seed=seed), shape)

    def verified(self, trace: Trace, shape: Sequence[int]) -> Tensor:
        """The result of a sampling, verified: of the requested shape (B, C, H, W), float32, finite."""
        y = self.images("sample", trace.result, shape)
        check_finite_images(y, "in the samples")
        return y

    def images(self, method: str, reply: Reply, shape: Sequence[int]) -> Tensor:
        """What a method returned, verified: of the requested shape (B, C, H, W), float32, on the device."""
        return check_images(method, reply.values, reply.tensors.get("y"), shape, self.submission.device)
