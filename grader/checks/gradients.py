"""Level 1, training: are the gradients that backward reports those of the output?

A random direction is taken in x, or in a random group of parameter tensors, and the change of <output, cotangent>
along it is measured by a central difference, in the network's own precision. In 77 gradings of the 41 right networks of
the bank, with 11 directions each, the two differed by 0.01 to 3 % of their size, by 6 to 18 % where kinks (ReLU under
batch norm) or fast sines hide the slope; a gradient that is cut off differs by 100 %. A failure takes two steps, one
twice the other, that agree with each other and not with the gradient: rounding and kinks don't.
"""

from dataclasses import dataclass

from torch import Tensor

from grader.checks.finding import CheckFailed, at_most

AGREE = 0.5  # of the measured slopes: how far the gradient's may be from them
STEADY = 0.2  # of the measured slopes: how far those of twice the step may be from them, if they are to count


@dataclass(frozen=True)
class Slopes:
    """Of D directions, those of x first: what the gradient says, and what was measured, (D,) float64 each."""

    reported: Tensor
    found: Tensor
    of_x: int  # how many directions are of x; the others are of the parameters
    repeats: bool  # whether the network gave the same answer to the same question, so that anything can be measured

    def off(self) -> tuple[float, float]:
        """How far the gradient is from what was measured, of x and of the parameters, relative to the latter."""
        return _apart(self, self.reported, self.found)

    def agree(self) -> bool:
        return all(off <= AGREE for off in self.off())

    def disprove(self, twice: "Slopes") -> bool:
        """Whether a part of the gradient is wrong, given the slopes at twice the step."""
        unsteady = _apart(self, twice.found, self.found)
        return any(not off <= AGREE and steady <= STEADY for off, steady in zip(self.off(), unsteady, strict=True))


def _apart(about: Slopes, a: Tensor, b: Tensor) -> tuple[float, float]:
    """For the directions of x and for those of the parameters: |a − b| / |b|, 0 if both are 0."""

    def of(a: Tensor, b: Tensor) -> float:
        return ((a - b).norm() / b.norm()).item() if b.any() or a.any() or not a.isfinite().all() else 0.0

    return of(a[: about.of_x], b[: about.of_x]), of(a[about.of_x :], b[about.of_x :])


def check_slopes(slopes: Slopes | None) -> dict[str, float]:
    """Gradients say how the output changes; None where nothing could be measured, which is nobody's fault."""
    if slopes is None:
        return {}
    of_x, of_parameters = slopes.off()
    worst = of_x if not of_x <= AGREE else max(of_x, of_parameters)
    measured = {"gradient_off": worst} | at_most(worst, AGREE)
    if slopes.agree():
        return measured
    what = "x" if not of_x <= AGREE else "the parameters"
    raise CheckFailed(
        f"expected gradients that say how the output changes with {what}, got gradients that are {worst:.0%} off",
        "Something on the way to the output is cut off from backward (.detach(), .data, torch.no_grad(), .item(), "
        "numpy), or something gives backward another gradient than the output has.",
        **measured,
    )
