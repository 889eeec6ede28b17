"""All calls of the network during one sampling, and the result."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.step_errors import FAR
from grader.submission.process import Reply

REAL = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
)  # fmt: skip
INTEGERS = (torch.int32, torch.int64)
HALVES = (torch.float16, torch.bfloat16)


@dataclass
class Trace:
    facts: list[dict[str, Any]] = field(default_factory=list)  # of each call, as the worker describes it
    x: list[Tensor] = field(default_factory=list)  # (B, C, H, W) float32, of each call
    t: list[Tensor | None] = field(default_factory=list)  # (B,) or a single number; None where it was unusable
    eps: list[Tensor] = field(default_factory=list)  # (B, C, H, W), what the judge answered
    result: Reply = field(default_factory=lambda: Reply({}, {}))  # empty until it has come
    rounding: float = 0.0  # relative, of x: the epsilon of a half precision in which it came, else 0

    @property
    def steps(self) -> list[int]:
        """The t of each call; −1 where it was no tensor."""
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

    def add(self, facts: dict[str, Any], tensors: dict[str, Tensor], shape: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Note a call of the network; returns its x (B, C, H, W) and t, 0 where that is unusable.

        Raises CheckFailed if it can't be answered.
        """
        # what has run away may go on to infinity: the steps that led there are judged; what comes of itself is refused
        ran_away = bool(self.x) and not self.x[-1].abs().max() <= FAR
        x, t = usable_x(facts, tensors, shape, finite=not ran_away), tensors.get("t")
        usable = t if is_usable(t, len(x)) else None
        if usable is not None and usable.numel() and usable.min() != usable.max():
            raise CheckFailed(
                f"expected all images of a sampling at one step, got the network called with t = {int(usable.min())} … "
                f"{int(usable.max())} in one batch",
                "In sample all images take the same step: torch.full((B,), step, device=self.device).",
            )
        self.rounding = max(self.rounding, rounding_of(tensors["x"]))
        self.facts.append(facts)
        self.x.append(x)
        self.t.append(usable)
        return x, torch.zeros(1) if usable is None else usable


def is_usable(t: Tensor | None, batch: int) -> bool:
    """Whether t is usable at all: real, finite numbers, one for all images or one for each."""
    if t is None or t.dtype not in REAL or t.numel() not in (1, batch):
        return False
    return bool(t.isfinite().all())


def rounding_of(x: Tensor) -> float:
    """The epsilon of x's dtype if that is a half precision, in which a network may be run; else 0."""
    return torch.finfo(x.dtype).eps if x.dtype in HALVES else 0.0


def usable_x(
    facts: dict[str, Any], tensors: dict[str, Tensor], shape: Sequence[int], *, finite: bool = True
) -> Tensor:  # fmt: skip
    """The x (B, C, H, W) that a network was called with, as float32. Raises CheckFailed if it can't be answered."""
    x = tensors.get("x")
    if x is None or x.dtype not in REAL or x.shape != torch.Size(shape):
        got = facts.get("x", {}).get("shape", facts.get("x", {}).get("type"))
        raise CheckFailed(
            f"expected the model to be called with x of shape {tuple(shape)}, got {got}",
            "x keeps the requested shape, (B, C, H, W), through all steps.",
        )
    if finite and not x.float().isfinite().all():
        what, t = "NaN" if x.isnan().any() else "infinity", tensors.get("t")
        when = f"at t = {int(t.max())}" if t is not None and is_usable(t, len(x)) and t.numel() else "in one call"
        raise CheckFailed(
            f"expected the model to be called with finite numbers, got {what} {when}, in "
            f"{int((~x.float().isfinite()).sum())} of {x.numel()} values",
            "Look at the step before: a division by 0, the log or root of something that can be 0 or negative, "
            "or a factor that makes x grow with every step.",
        )  # fmt: skip
    return x.to(torch.float32, copy=True)  # in the judge's own process, the sampler could still change it
