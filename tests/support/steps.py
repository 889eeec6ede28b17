"""Steps of samplers with known mean and sigma, for the tests of level 4's checks."""

import torch

from grader.checks.measure_step import Step, inside_inputs, outside_inputs
from grader.checks.schedule import Schedule
from grader.checks.step_formulas import RIGHT_MEANS, RIGHT_SIGMAS, sigma_beta_tilde

SHIPPED, STEEP = Schedule(1000, 1e-4, 0.02), Schedule(20, 0.01, 0.4)
N = 1 << 15  # a quarter of the real number; more is only more sensitive
RIGHT = [(m, s) for m in RIGHT_MEANS.values() for s in RIGHT_SIGMAS.values()]
RIGHT_IDS = [f"{m}, {s}" for m in RIGHT_MEANS for s in RIGHT_SIGMAS]


def timesteps(s):
    return (1, 2, s.T // 2, s.T - 1)


def steps(mean, sigma, inside=True):
    """One call at each t of both schedules, by a sampler with this mean and sigma."""
    g = torch.Generator().manual_seed(3)
    made = []
    for s in (SHIPPED, STEEP):
        for t in timesteps(s):
            x, eps = inside_inputs(s, t, (N,), g) if inside else outside_inputs((N,), g)
            made.append(Step(s, t, x, eps, mean(s, t, x, eps) + sigma(s, t) * torch.randn(N, generator=g)))
    return made


def both(mean, sigma=sigma_beta_tilde):
    return steps(mean, sigma), steps(mean, sigma, inside=False)
