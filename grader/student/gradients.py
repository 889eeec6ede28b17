"""Are a network's gradients those of its output? Measured in train mode, where they are used."""

from torch import Tensor

from grader.checks.gradients import Slopes
from grader.student.network import Network

# sizes of a direction, relative to that of x or of a parameter: the first suits float32, the second what rounds more,
# the third what has many kinks
STEPS = (5e-4, 4e-3, 6e-5)


def measure(network: Network, x: Tensor, t: Tensor, cotangent: Tensor) -> Slopes | None:
    """The first slopes on which the gradient can be judged; None where neither train nor eval mode has any.

    Eval mode is asked where train mode can't be asked twice, or hides its slopes behind rounding or kinks.
    """
    for train in (True, False):
        for step in STEPS:
            slopes = network.slopes(x, t, cotangent, step=step, train=train)
            if slopes.repeats and slopes.agree():
                return slopes
            if not slopes.repeats:
                break
            if slopes.disprove(network.slopes(x, t, cotangent, step=2 * step, train=train)):
                return slopes
    return None
