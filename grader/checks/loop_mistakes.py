"""What samplers with the usual mistakes would return in the Gaussian world: to name a mistake by its result."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.runner import threads
from grader.checks.fresh_noise import SAME_NOISE
from grader.checks.gaussian_world import GaussianOracle
from grader.checks.last_step import NOISE_AT_0
from grader.checks.own_schedules import OWN_SCHEDULES
from grader.checks.step_formulas import RIGHT_SIGMAS, Mean, Sigma, eps_form, sigma_beta, sigma_beta_tilde
from grader.checks.wrong_means import WRONG_MEANS
from grader.checks.wrong_sigmas import WRONG_SIGMAS

EPS_AS_NOISE = "the predicted noise in place of fresh noise"


@functools.lru_cache(maxsize=1)
def noise(count: int, n: int) -> list[Tensor]:
    """So many draws of n pixels each, (n, 1) float64: the same for every mutant, as to draw them takes longest."""
    generator = torch.Generator().manual_seed(20)
    return [torch.randn(n, 1, generator=generator, dtype=torch.float64) for _ in range(count)]


def simulate(
    oracle: GaussianOracle, *, mean: Mean = eps_form, sigma: Sigma = sigma_beta_tilde,
    steps: Sequence[int] | None = None, sees: Callable[[int], int] = lambda t: t, last_sigma: Sigma | None = None,
    fixed_noise: bool = False, result: Callable[[Tensor], Tensor] = lambda x: x, n: int = 1 << 16,
) -> tuple[float, float]:  # fmt: skip
    """Mean and standard deviation of n pixels from a sampler with these parts. The judge's own seed."""
    s = oracle.schedule
    order = list(reversed(range(s.T)) if steps is None else steps)
    x, z, *fresh = noise(s.T + 2, n)
    for t, drawn in zip(order, fresh[: len(order)], strict=True):
        if not fixed_noise:
            z = drawn
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
        with threads(1):  # of so few numbers two threads take longer than one: ten times, on a busy machine
            return self.run()


@functools.cache
def mutants(oracle: GaussianOracle) -> list[Mutant]:
    """Needed only after a failure; each is computed when its moments are asked for."""
    run = functools.partial(simulate, oracle)
    T, made = oracle.schedule.T, []

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
