"""A whole sampling against the right forms, and all samplings of a grading against one another.

x_T is N(0, I), each x follows from the one before (transitions.py), and the result is the mean at t = 0, clamped: that
one is exact, so whoever shows the network one x and goes on with another is seen there at the latest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.checks.deviations import Deviation, largest, of_kurtosis, of_pairs, of_squares, of_sums, worst_of
from grader.checks.finding import CheckFailed, NotJudged, at_most
from grader.checks.last_step import LAST
from grader.checks.measure_step import Step
from grader.checks.step_formulas import RIGHT_MEANS
from grader.checks.transitions import AXES, DDPM, Form, Forms, deviations


@dataclass(frozen=True)
class Judged:
    """One sampling against each right form."""

    about: str
    steps: int
    deviations: dict[Form, Deviation]

    @property
    def forms(self) -> set[Form]:
        """The right forms that it may be of."""
        return {form for form, found in self.deviations.items() if 0 <= found.excess <= 1}

    @property
    def nearest(self) -> Deviation:
        return min(self.deviations.values(), key=lambda found: found.excess)


def judge_sampling(
    about: str, steps: Sequence[Step], result: Tensor, rounding: float = 0.0, forms: Forms = DDPM
) -> Judged:  # fmt: skip
    """Hold a sampling against the right forms.

    Args:
        steps: all T of them by falling t, (B, C, H, W) each
        result: what `sample` returned, (B, C, H, W)
        rounding: relative, of what the network saw: half precision's epsilon if x was handed over in it, else 0
    """
    both = judge_ends(steps, result, rounding)
    along = deviations(steps[:-1], rounding, forms)
    return Judged(about, len(steps), {form: largest([*both, found]) for form, found in along.items()})


def judge_ends(steps: Sequence[Step], result: Tensor, rounding: float) -> list[Deviation]:
    """Start and result of a sampling, which are the same in every form; see `judge_sampling`."""
    return [largest(_of_start(steps[0].x_t, rounding)), _of_result(steps[-1], result, rounding)]


def _of_start(x_T: Tensor, rounding: float) -> list[Deviation]:
    """x_T (B, C, H, W) against N(0, I)."""
    x, n, tolerance = x_T.double(), torch.tensor(float(x_T.numel())), torch.tensor(rounding)
    found = [
        worst_of(of_sums(x.sum(), n, tolerance * n), "the mean of x_T", ["the start"]),
        worst_of(of_squares(x.square().sum(), n, tolerance), "the variance of x_T", ["the start"]),
    ]
    off = of_kurtosis(x.square().sum().view(1), x.pow(4).sum().view(1), x.numel(), tolerance)
    found.append(worst_of(off, "x_T, which is not normally distributed", ["the start"]))
    for axis, name in enumerate(AXES):
        rows = x.movedim(axis, 0).flatten(1)
        pairs = of_pairs(rows @ rows.T, rows.shape[1])
        found.append(worst_of(pairs, "x_T, parts of which are alike", [f"{name} {i}" for i in range(len(rows))]))
    return found


def _of_result(last: Step, result: Tensor, rounding: float) -> Deviation:
    """The result against the mean at t = 0, clamped, pixel by pixel: there all forms agree."""
    x, eps = last.x_t.double(), last.eps.double()
    mean = RIGHT_MEANS["eps form"](last.schedule, last.t, x, eps).clamp(-1, 1)
    allowed = LAST + 2 * rounding * x.abs().amax().clamp(min=1)
    return worst_of((result.double() - mean).abs().amax() / allowed, "the result", ["t = 0"])


HINT = (
    "x_T is drawn from N(0, I), each x becomes what p_sample returns, with the network's output and no formula of its "
    "own, and the last x is only clamped: for every number of steps, images and pixels."
)


def check_samplings(
    judged: Sequence[Judged], alone: set[Form] | None, rule: str = "Algorithm 2's"
) -> dict[str, float]:  # fmt: skip
    """All samplings follow Algorithm 2 in every step, in one form, which is that of p_sample called alone.

    Args:
        judged: all samplings on record
        alone: the forms that p_sample may be of; None where it is of no right one, which is for other checks to say
        rule: whose steps they are, in words
    """
    if not judged:
        raise NotJudged("waits for sample, of which nothing is on record")
    for sampling in judged:
        worst = sampling.nearest
        if not worst.excess <= 1:
            far = f", off by {worst.excess:.3g} times the tolerance at {worst.where}" if worst.where else ""
            raise CheckFailed(
                f"in a sampling of {sampling.about}: expected every step to be {rule}, got {worst.what}{far}",
                HINT, what=worst.what, where=worst.where,
            )  # fmt: skip
    common, last = (set(judged[0].forms) if alone is None else alone), "p_sample, called alone"
    for sampling in judged:
        if not common & sampling.forms:
            raise CheckFailed(
                f"expected the same kind of mean and variance in every step, got {_named(sampling.forms)} in a "
                f"sampling of {sampling.about}, but {_named(common)} in {last}",
                "Two right formulas are mixed. Let sample call p_sample for each step, and nothing else.",
            )
        common, last = common & sampling.forms, f"one of {sampling.about}"
    form = min(common)
    off = max(sampling.deviations[form].excess for sampling in judged)
    measured = {"samplings": len(judged), "steps": sum(sampling.steps for sampling in judged), "worst_of_allowed": off}
    return measured | at_most(off, 1)


def _named(forms: set[Form]) -> str:
    return " or ".join(f"the {mean} with variance {sigma}" for mean, sigma in sorted(forms))
