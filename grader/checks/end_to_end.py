"""A whole sampling in a world where the perfect network is known: images are Gaussian pixels.

If x_0 ~ N(m, s²), E[eps | x_t] is linear in x_t, every reverse step is linear, and mean and spread of the samples
follow from a recursion of two numbers. m = −0.35 and s = 0.15 keep the clips (of x_0 and of the samples) nearly
4 sigma away, and still expose an x_t that is clamped or an x_0 that is clipped to [0, 1].
With T = 20 and beta 0.01 → 0.4 wrong formulas show; at T = 1000 they hide.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, at_most, least_margin
from grader.checks.noise import Z
from grader.checks.reverse_step import NOISE_AT_0, SAME_NOISE
from grader.checks.sampler_mistakes import (
    OWN_SCHEDULES,
    RIGHT_SIGMAS,
    WRONG_MEANS,
    WRONG_SIGMAS,
    Mean,
    Sigma,
    eps_form,
    sigma_beta,
    sigma_beta_tilde,
)
from grader.checks.schedule import Schedule

MEAN, STD = -0.35, 0.15
STEEP = Schedule(20, 0.01, 0.4)
EPS_AS_NOISE = "the predicted noise in place of fresh noise"
TOLERANCE = 1e-3  # float rounding and the rare clip, relative to the spread


class GaussianOracle:
    """eps_hat = oracle(x, t): the perfect network for pixels from N(m, s²)."""

    def __init__(self, schedule: Schedule, mean: float = MEAN, std: float = STD) -> None:
        self.schedule, self.mean, self.std = schedule, mean, std

    def __call__(self, x: Tensor, t: Tensor | int) -> Tensor:
        """x (B, C, H, W), t (B,) or a number → (B, C, H, W) in x's dtype; a t beyond the schedule counts as its end."""
        steps = torch.as_tensor(t).long().flatten().clamp(0, self.schedule.T - 1)
        a_bar = self.schedule.alpha_bar[steps].view(-1, *[1] * (x.ndim - 1))
        slope = (1 - a_bar).sqrt() / (a_bar * self.std**2 + 1 - a_bar)
        return (slope * (x.double() - a_bar.sqrt() * self.mean)).to(x.dtype)


def expected_moments(
    s: Schedule, variance: str = "beta-tilde", mean: float = MEAN, std: float = STD
) -> tuple[float, float]:
    """Mean and standard deviation of what Algorithm 2 returns with one of RIGHT_SIGMAS, exactly."""
    oracle, sigma = GaussianOracle(s, mean, std), RIGHT_SIGMAS[variance]
    m, v = 0.0, 1.0
    for t in reversed(range(s.T)):
        x = torch.tensor([[0.0], [1.0]], dtype=torch.float64)  # (2, 1)
        offset, there = eps_form(s, t, x, oracle(x, t)).flatten().tolist()  # linear, so two points determine the step
        gain = there - offset
        m, v = gain * m + offset, gain**2 * v + (sigma(s, t) ** 2 if t else 0.0)
    return m, math.sqrt(v)


# ---- what the usual mistakes would give


def simulate(
    s: Schedule, oracle: Callable[[Tensor, int], Tensor], *, mean: Mean = eps_form, sigma: Sigma = sigma_beta_tilde,
    steps: Sequence[int] | None = None, sees: Callable[[int], int] = lambda t: t, last_sigma: Sigma | None = None,
    fixed_noise: bool = False, result: Callable[[Tensor], Tensor] = lambda x: x, n: int = 1 << 16,
) -> tuple[float, float]:  # fmt: skip
    """Mean and standard deviation of n pixels from a sampler with these parts. The judge's own seed."""
    generator = torch.Generator().manual_seed(20)
    x = torch.randn(n, 1, generator=generator, dtype=torch.float64)
    z = torch.randn(n, 1, generator=generator, dtype=torch.float64)
    for t in reversed(range(s.T)) if steps is None else steps:
        if not fixed_noise:
            z = torch.randn(n, 1, generator=generator, dtype=torch.float64)
        scale = sigma(s, t) if t else (last_sigma(s, t) if last_sigma else 0.0)
        x = (mean(s, t, x, oracle(x, sees(t))) + scale * z).clamp(-1e6, 1e6)
    x = result(x.clamp(-1, 1))
    return x.mean().item(), x.std().item()


@dataclass(frozen=True)
class Mutant:
    """A sampler with one mistake."""

    name: str
    hint: str
    claim: str  # the check of a single step that fails for it, and names it; "" for a mistake of the loop
    calls: list[int]  # the t that its network sees, in order
    run: Callable[[], tuple[float, float]]

    @cached_property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of its samples."""
        return self.run()


@functools.cache
def mutants(s: Schedule, mean: float = MEAN, std: float = STD) -> list[Mutant]:
    """Needed only after a failure; each is computed when its moments are asked for."""
    run = functools.partial(simulate, s, GaussianOracle(s, mean, std))
    T, made = s.T, []

    def add(name: str, hint: str, claim: str = "", **parts: Any) -> None:
        """With either variance, as both are right; only once where the mistake is in sigma itself."""
        sees = parts.get("sees", lambda t: t)
        calls = [sees(t) for t in parts.get("steps", reversed(range(T)))]
        for sigma in [parts["sigma"]] if "sigma" in parts else RIGHT_SIGMAS.values():
            made.append(Mutant(name, hint, claim, calls, functools.partial(run, **parts | {"sigma": sigma})))

    loop = "Look at the loop in sample: it visits T−1, …, 0, each once, and passes its own t on."
    add("the last step left out", loop, steps=range(T - 1, 0, -1))
    add("the last two steps left out", loop, steps=range(T - 1, 1, -1))
    add("the model sees t + 1", loop, sees=lambda t: t + 1)
    add("the model sees t - 1", loop, sees=lambda t: t - 1)
    add("the model always sees t = 0", loop, sees=lambda t: 0)
    add("the model always sees t = T - 1", loop, sees=lambda t: T - 1)
    add("the steps in reverse order", loop, steps=range(T))
    add("every second step", loop, steps=range(T - 1, -1, -2))
    add("samples moved to [0, 1]", "Images live in [−1, 1]: sample returns x_0 as it is, only clamped.",
        result=lambda x: (x + 1) / 2)  # fmt: skip
    add(NOISE_AT_0, "At t = 0 no noise is added (Algorithm 2, line 3: z = 0).", "step.last_step",
        last_sigma=sigma_beta)  # fmt: skip
    add(SAME_NOISE, "z is drawn anew in each step (Algorithm 2, line 3).", "step.fresh_noise", fixed_noise=True)
    for mistake in WRONG_MEANS:
        for i, formula in enumerate(mistake.formulas):
            # these two add no noise of their own
            quiet = {"sigma": lambda s, t: 0.0} if mistake.name in ("a DDIM step", EPS_AS_NOISE) else {}
            # whoever has a schedule of their own takes sigma from it as well
            own = next((m for m in WRONG_SIGMAS if m.name == mistake.name in OWN_SCHEDULES), None)
            for parts in [{"sigma": own.formulas[i // 2 * 2 + k]} for k in (0, 1)] if own else [quiet]:
                add(mistake.name, mistake.hint, "step.mean", mean=formula, **parts)
    for wrong in WRONG_SIGMAS:
        for sigma in wrong.formulas if wrong.name not in OWN_SCHEDULES else ():
            add(wrong.name, wrong.hint, "step.variance", sigma=sigma)
    return made


def could_be(mutant: Mutant, calls: Sequence[int] | None, found: Mapping[str, str | None]) -> bool:
    """Whether a mutant's mistake agrees with what the other checks found.

    Args:
        calls: the t that the network saw; None if they were not recorded
        found: for each check of single steps that was judged, the mistake that it named: None if it passed, "" if it
            failed without a name
    """
    if calls is not None and list(calls) != mutant.calls:
        return False
    others = {claim: name for claim, name in found.items() if claim != mutant.claim}
    if mutant.claim == "step.mean":
        others.pop("step.variance", None)  # many wrong means change the noise, too
    return found.get(mutant.claim, mutant.name) == mutant.name and not any(n is not None for n in others.values())


def distances(
    measured: tuple[float, float], expected: tuple[float, float], n: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """For mean and standard deviation: (how far off, how far off allowed), the latter Z standard errors of n pixels."""
    (m, d), (right_m, right_d) = measured, expected
    return (
        (abs(m - right_m), right_d * (Z / math.sqrt(n) + TOLERANCE)),
        (abs(d - right_d), right_d * (Z / math.sqrt(2 * n) + TOLERANCE)),
    )


def agrees(measured: tuple[float, float], expected: tuple[float, float], n: float) -> bool:
    return all(off < allowed for off, allowed in distances(measured, expected, n))


def is_right(samples: Tensor, s: Schedule = STEEP, mean: float = MEAN, std: float = STD) -> bool:
    """Whether `check_end_to_end` holds."""
    measured = samples.double().mean().item(), samples.double().std().item()
    return any(agrees(measured, expected_moments(s, name, mean, std), samples.numel()) for name in RIGHT_SIGMAS)


FAILED_FIRST = "Look at the failed checks of single steps and of the trace first: they say more than the result does."
STEPS_ARE_RIGHT = (
    "p_sample is right by itself and the network is called in the right order, so look at what else sample does: x "
    "becomes what p_sample returns, with no formula of its own, and the last x is only clamped."
)


def check_end_to_end(
    samples: Tensor, s: Schedule = STEEP, mean: float = MEAN, std: float = STD, *, calls: Sequence[int] | None = None,
    found: Mapping[str, str | None] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Samples made with the Gaussian oracle have the mean and spread that Algorithm 2 gives with beta-tilde or beta.

    4 comparisons at 6 standard errors: 1e-8 false alarms. n = samples.numel(), normally 2**17: the mean is then known
    to 1.8 % of the spread, the spread to 1.3 %. A value near neither of the two fails, also in between.

    Args:
        samples: (B, C, H, W) in [-1, 1], what `sample` returned
        mean, std: of the pixels that the oracle knows
        calls, found: what is known from elsewhere (see `could_be`); it decides the hint only
    """
    n = samples.numel()
    measured = samples.double().mean().item(), samples.double().std().item()
    expected = {name: expected_moments(s, name, mean, std) for name in RIGHT_SIGMAS}
    numbers = {"n": n, "mean": measured[0], "std": measured[1]}
    for moments in expected.values():
        if agrees(measured, moments, n):
            margin = least_margin(*(at_most(*pair) for pair in distances(measured, moments, n)))
            return {**numbers, "expected_mean": moments[0], "expected_std": moments[1], **margin}
    (tilde_mean, tilde_std), (_, beta_std) = expected["beta-tilde"], expected["beta"]
    # the simulated moments have sampling errors of their own
    joint, known = 1 / (1 / n + 1 / (1 << 16)), found or {}
    like = {
        mutant.name: mutant.hint
        for mutant in mutants(s, mean, std)
        if could_be(mutant, calls, known) and agrees(measured, mutant.moments, joint)
    }
    name, hint = next(iter(like.items()), (None, ""))
    in_order = calls is not None and list(calls) == list(reversed(range(s.T)))
    hint = (
        f"Your samples match those of a sampler with this mistake, so it could be yours: {name}. {hint}"
        if len(like) == 1
        else f"Your samples match those of samplers with these mistakes, so it could be one of them: {'; '.join(like)}."
        if 1 < len(like) <= 3
        else STEPS_ARE_RIGHT
        if not like and known and in_order and not any(said is not None for said in known.values())
        else FAILED_FIRST
    )
    raise CheckFailed(
        f"expected samples with mean {tilde_mean:.3f} and standard deviation {tilde_std:.3f} (beta-tilde) or "
        f"{beta_std:.3f} (beta), got {measured[0]:.3f} and {measured[1]:.3f}",
        hint, mistake=name if len(like) == 1 else None, **numbers,
    )  # fmt: skip
