"""One call of p_sample, measured: which mean, and how much noise.

The judge draws x_t and eps (which it answers in the network's place) and reads out = p_sample(...):

    out − a formula's mean  =  0 · 1 + 0 · x_t + 0 · eps + sigma z

The left side is projected on the orthonormalised columns [1, x_t, eps]; the residual's standard deviation is sigma.
Each of the 3 coefficients may differ from 0 by Z = 6 standard errors (2e-9 false alarms) plus a float tolerance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.checks.finding import all_finite
from grader.checks.noise import Z, most_alike
from grader.checks.schedule import Schedule
from grader.checks.step_formulas import Mean

# In float32, 1 - alpha_bar at t = 1 of T = 1000 (2e-4) is off by up to 1e-7, and so the weights of Eq. 7 by up to 1e-3.
# That is nobody's mistake. Real mistakes show on the steep schedule, where they are 20 times as large.
MEAN_TOLERANCE = 2e-3  # outputs have a scale of 1
SIGMA_TOLERANCE = 2e-3  # relative
WITHIN = {"columns": 3, "rows": 2, "channels": 1, "images of a batch": 0}  # the axes of a step's noise
# A sigma below this counts as no noise: in float32 beta-tilde at t = 0 can be 6e-8. Real ones are at least 7e-3.
SILENT = 1e-3


@dataclass(frozen=True)
class Step:
    """One call of p_sample at one t: what went in, what the network answered, what came out.

    Anything computed from them is not stored: it would take four times as much memory, for as long as the step lives.
    """

    schedule: Schedule
    t: int
    x_t: Tensor  # (B, C, H, W) float32: N scalars
    eps: Tensor  # the same shape
    out: Tensor  # the same shape

    @property
    def flat(self) -> tuple[Tensor, Tensor, Tensor]:
        """x_t, eps and out, (N,) float64 each."""
        return self.x_t.double().flatten(), self.eps.double().flatten(), self.out.double().flatten()

    @property
    def basis(self) -> tuple[Tensor, Tensor]:
        """(N, 3) and (3, 3), see `basis` below."""
        x, eps, _ = self.flat
        return basis(x, eps)

    @property
    def where(self) -> str:
        return f"t = {self.t} of T = {self.schedule.T}"


# ---- inputs


def inside_inputs(s: Schedule, t: int, shape: Sequence[int], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """x_t, eps of `shape`, float32, whose x_0 estimate lies in [-0.95, 0.95]: clipping it changes nothing.

    So all right forms agree. Drawn: x_0 uniform, eps ~ N(0, I); x_t by Eq. 4.
    """
    h = s.at(t)
    x_0 = torch.rand(tuple(shape), generator=generator, dtype=torch.float64) * 1.9 - 0.95
    eps = torch.randn(tuple(shape), generator=generator, dtype=torch.float64)
    return (math.sqrt(h.alpha_bar) * x_0 + math.sqrt(1 - h.alpha_bar) * eps).float(), eps.float()


def outside_inputs(
    shape: Sequence[int], generator: torch.Generator, scale: float = 1.0
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """x_t, eps of `shape`, float32: x_t uniform on [-3, 3] and eps ~ N(0, scale² I), unrelated.

    So each coefficient shows by itself, and so does any clipping.
    """
    x_t = torch.rand(tuple(shape), generator=generator) * 6 - 3
    return x_t, scale * torch.randn(tuple(shape), generator=generator)


# ---- measuring


def basis(x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
    """Columns [1, x, eps] made orthonormal (mean square 1), and the triangle that leads back.

    x, eps (N,) → (N, 3), (3, 3). Orthonormal, so that all coefficients have the same standard error, even where x and
    eps are nearly equal (t = T − 1).
    """
    columns = torch.stack([torch.ones_like(x), x, eps], dim=1)  # (N, 3)
    r = torch.linalg.cholesky(columns.T @ columns / len(x), upper=True)  # (3, 3); far cheaper than a QR of (N, 3)
    return torch.linalg.solve_triangular(r, columns, upper=True, left=False), r


def fit(y: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """y (N,), on an orthonormal basis q (N, 3) → coefficients (3,), residual (N,)."""
    coefficients = q.T @ y / len(y)
    return coefficients, y - q @ coefficients


def excess(step: Step, mean: Mean) -> float:
    """How far a step's mean is from a formula's, as a multiple of what is allowed: at most 1 where they agree.

    3 comparisons at 6 standard errors, 2e-9 false alarms each.
    """
    if not all_finite(step):
        return math.inf
    x, eps, out = step.flat
    coefficients, residual = fit(out - mean(step.schedule, step.t, x, eps), step.basis[0])
    allowed = Z * residual.std().item() / math.sqrt(len(x)) + MEAN_TOLERANCE
    worst = coefficients.abs().max().item() / allowed
    return worst if math.isfinite(worst) else math.inf


def spread(step: Step) -> Tensor:
    """The residual of a step's output after the best linear fit, (N,): sigma z, where nothing was clipped."""
    return fit(step.flat[2], step.basis[0])[1]


def shares_noise(step: Step) -> bool:
    """Whether pixels or images share their noise: then its n numbers say less than n about mean and sigma."""
    z = spread(step)
    return z.std().item() > SILENT and most_alike(z.view(step.x_t.shape), WITHIN)[0] is not None


def bends(step: Step) -> bool:
    """Whether the mean is not linear, as a clamped one: then what a linear fit leaves over is not the noise alone."""
    q, _ = step.basis
    z = spread(step)
    for column in q[:, 1:].unbind(1):
        for curve in (column.abs(), column.pow(3)):
            _, rest = fit(curve, q)
            r = (z @ rest / (z.norm() * rest.norm()).clamp(min=1e-30)).item()
            if not abs(r) * math.sqrt(len(z)) <= Z:
                return True
    return False


def coefficients(step: Step) -> tuple[float, float]:
    """a and b of the best fit out = a · x_t + b · eps + c."""
    q, r = step.basis
    _, a, b = torch.linalg.solve_triangular(r, fit(step.flat[2], q)[0][:, None], upper=True).flatten().tolist()
    return a, b


def allowed_sigma(n: int) -> float:
    """How far a standard deviation may be off, relatively: from n normal scalars its standard error is sqrt(1 / 2n)."""
    return Z / math.sqrt(2 * n) + SIGMA_TOLERANCE


def sigma_fits(measured: float, n: int, expected: float) -> bool:
    """Whether a standard deviation measured on n scalars is the expected one, which may be 0."""
    if expected < SILENT:
        return measured < SILENT
    return abs(measured / expected - 1) < allowed_sigma(n)
