"""A whole sampling in the Gaussian world: do mean and spread of the samples come out as Algorithm 2 gives them?

m near −0.35 and s near 0.15 keep the clips (of x_0 and of the samples) over 3 sigma away, and still expose an x_t that
is clamped or an x_0 that is clipped to [0, 1]. With few, steep steps wrong formulas show; at T = 1000 they hide.
"""

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from grader.checks.finding import CheckFailed, at_most, refuse_not_finite, tightest
from grader.checks.gaussian_world import GaussianOracle
from grader.checks.loop_mistakes import could_be, mutants
from grader.checks.noise import Z
from grader.checks.step_formulas import RIGHT_SIGMAS

TOLERANCE = 1e-3  # float rounding and the rare clip, relative to the spread


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


def is_right(samples: Tensor, oracle: GaussianOracle) -> bool:
    """Whether `check_end_to_end` holds."""
    measured = samples.double().mean().item(), samples.double().std().item()
    return any(agrees(measured, oracle.expected_moments(name), samples.numel()) for name in RIGHT_SIGMAS)


FAILED_FIRST = "Look at the failed checks of single steps and of the trace first: they say more than the result does."
STEPS_ARE_RIGHT = (
    "p_sample is right by itself and the network is called in the right order, so look at what else sample does: x "
    "becomes what p_sample returns, with no formula of its own, and the last x is only clamped."
)


def check_end_to_end(
    samples: Tensor, oracle: GaussianOracle, *, calls: Sequence[int] | None = None,
    found: Mapping[str, str | None] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Samples made with the Gaussian oracle have the mean and spread that Algorithm 2 gives with beta-tilde or beta.

    4 comparisons at 6 standard errors: 1e-8 false alarms. n = samples.numel(), normally 2**17: the mean is then known
    to 1.8 % of the spread, the spread to 1.3 %. A value near neither of the two fails, also in between.

    Args:
        samples: (B, C, H, W) in [-1, 1], what `sample` returned
        oracle: what answered in the network's place
        calls, found: what is known from elsewhere (see `could_be`); it decides the hint only
    """
    refuse_not_finite("the samples", samples, oracle)
    n = samples.numel()
    measured = samples.double().mean().item(), samples.double().std().item()
    expected = {name: oracle.expected_moments(name) for name in RIGHT_SIGMAS}
    numbers = {"n": n, "mean": measured[0], "std": measured[1]}
    for moments in expected.values():
        if agrees(measured, moments, n):
            margin = tightest(*(at_most(*pair) for pair in distances(measured, moments, n)))
            return {**numbers, "expected_mean": moments[0], "expected_std": moments[1], **margin}
    (tilde_mean, tilde_std), (_, beta_std) = expected["beta-tilde"], expected["beta"]
    # the simulated moments have sampling errors of their own
    joint, known = 1 / (1 / n + 1 / (1 << 16)), found or {}
    like = {
        mutant.name: mutant.hint
        for mutant in mutants(oracle)
        if could_be(mutant, calls, known) and agrees(measured, mutant.moments, joint)
    }
    name, hint = next(iter(like.items()), (None, ""))
    in_order = calls is not None and list(calls) == list(reversed(range(oracle.schedule.T)))
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
