"""Single steps: right ones pass, each wrong formula fails and is named."""

import math

import pytest
import torch

from grader.checks import last_step, reverse_step
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import Step, bends, inside_inputs, outside_inputs, shares_noise
from grader.checks.schedule import Schedule
from grader.checks.step_formulas import clipped_form, eps_form, sigma_beta, sigma_beta_tilde
from grader.checks.wrong_means import WRONG_MEANS
from grader.checks.wrong_sigmas import WRONG_SIGMAS
from tests.support.steps import RIGHT, RIGHT_IDS, SHIPPED, STEEP, N, both, steps


def test_schedule_is_that_of_the_assignment():
    from assignment.ddpm.diffusion import GaussianDiffusion

    for s in (SHIPPED, STEEP):
        given = GaussianDiffusion(s.T, s.beta_start, s.beta_end)
        for mine, theirs in [(s.beta, given.betas), (s.alpha_bar, given.alpha_bar),
                             (s.posterior_variance, given.posterior_variance)]:  # fmt: skip
            torch.testing.assert_close(mine.float(), theirs)
    assert SHIPPED.at(0).beta_tilde == 0 and SHIPPED.at(-1) == SHIPPED.at(0) and STEEP.at(20) == STEEP.at(19)


# ---- one step


def nearest_mistake(inside: list, outside: list) -> str | None:
    """Name of the wrong formula, of the mean or of sigma, that fits what was measured."""
    found = reverse_step.mean_mistake(outside + inside) or reverse_step.sigma_mistake(inside)
    return found.name if found else None


@pytest.mark.parametrize(("mean", "sigma"), RIGHT, ids=RIGHT_IDS)
def test_right_steps_pass(mean, sigma):
    inside, outside = both(mean, sigma)
    assert reverse_step.check_mean(inside, outside)["worst_of_allowed"] <= 1
    assert reverse_step.check_variance(inside)["steps"] == 8
    assert abs(reverse_step.check_gaussian(inside)["kurtosis"] - 3) < 0.1
    assert nearest_mistake(inside, outside) is None


WRONG_MEAN_FORMULAS = [(m.name, f) for m in WRONG_MEANS for f in m.formulas]
WRONG_SIGMA_FORMULAS = [(m.name, f) for m in WRONG_SIGMAS for f in m.formulas]


@pytest.mark.parametrize(("name", "mean"), WRONG_MEAN_FORMULAS, ids=[name for name, _ in WRONG_MEAN_FORMULAS])
def test_each_wrong_mean_is_named(name, mean):
    inside, outside = both(mean)
    with pytest.raises(CheckFailed) as failed:
        reverse_step.check_mean(inside, outside)
    assert failed.value.measurements["mistake"] == name
    assert nearest_mistake(inside, outside) == name


@pytest.mark.parametrize(("name", "sigma"), WRONG_SIGMA_FORMULAS, ids=[name for name, _ in WRONG_SIGMA_FORMULAS])
@pytest.mark.parametrize("mean", [eps_form, clipped_form])
def test_each_wrong_sigma_is_named(name, sigma, mean):
    inside, outside = both(mean, sigma)
    reverse_step.check_mean(inside, outside)
    with pytest.raises(CheckFailed) as failed:
        reverse_step.check_variance(inside)
    assert failed.value.measurements["mistake"] == name
    assert nearest_mistake(inside, outside) == name


@pytest.mark.parametrize("clip", [False, True])
def test_schedules_in_float32_are_right(clip):
    """As students compute them: 1 - alpha_bar loses digits near t = 0, and alpha_bar / alpha isn't quite 1 there."""

    def weights(s, t):
        alpha = 1 - torch.linspace(s.beta_start, s.beta_end, s.T)
        bar = alpha.cumprod(0)[t]
        prev = bar / alpha[t]
        return alpha[t], bar, prev, ((1 - alpha[t]) * (1 - prev) / (1 - bar)).clamp(min=0).sqrt()

    def mean(s, t, x, eps):
        alpha, bar, prev, _ = weights(s, t)
        x_0 = (x.float() - (1 - bar).sqrt() * eps.float()) / bar.sqrt()
        x_0 = x_0.clamp(-1, 1) if clip else x_0
        return (prev.sqrt() * (1 - alpha) * x_0 + alpha.sqrt() * (1 - prev) * x.float()) / (1 - bar)

    inside, outside = both(mean, lambda s, t: weights(s, t)[3].item())
    assert reverse_step.check_mean(inside, outside)["worst_of_allowed"] < 0.7
    reverse_step.check_variance(inside)
    for s in (SHIPPED, STEEP):
        g = torch.Generator().manual_seed(1)
        x, eps = outside_inputs((4, 3, 8, 8), g)
        outs = [mean(s, 0, x, eps) + weights(s, 0)[3] * torch.randn(x.shape, generator=g) for _ in range(2)]
        last_step.check_last_step(s, x, eps, *outs)


def test_clamped_after_the_noise_is_named():
    def clamped(s, t, x, eps):
        return eps_form(s, t, x, eps)

    inside, outside = both(clamped)
    cut = [Step(s.schedule, s.t, s.x_t, s.eps, s.out.clamp(-1, 1)) for s in inside + outside]
    with pytest.raises(CheckFailed) as failed:
        reverse_step.check_mean(cut[:8], cut[8:])
    assert failed.value.measurements["mistake"] == "x_{t-1} clamped"


def test_steps_that_do_not_depend_on_the_schedule_are_named():
    other = both(lambda s, t, x, eps: eps_form(Schedule(s.T, 0.003, 0.2), t, x, eps))
    with pytest.raises(CheckFailed) as failed:
        reverse_step.check_mean(*other, own_schedule=True)
    assert failed.value.measurements["mistake"] == "a schedule of its own" and "`diffusion`" in failed.value.hint
    with pytest.raises(CheckFailed) as failed:
        reverse_step.check_mean(*other)
    assert failed.value.measurements["mistake"] is None


def test_a_mistake_without_a_name_gets_the_general_hint():
    with pytest.raises(CheckFailed) as failed:
        reverse_step.check_mean(*both(lambda s, t, x, eps: 0.9 * eps_form(s, t, x, eps)))
    assert failed.value.measurements["mistake"] is None and "Eq. 11" in failed.value.hint


def test_one_choice_of_variance_for_all_t_and_schedules():
    mixed = steps(eps_form, sigma_beta)[:4] + steps(eps_form, sigma_beta_tilde)[4:]
    with pytest.raises(CheckFailed):
        reverse_step.check_variance(mixed)


def test_uniform_and_absent_noise():
    g = torch.Generator().manual_seed(0)

    def uniform(step):
        z = (torch.rand(N, generator=g) - 0.5) * math.sqrt(12)
        mean = eps_form(step.schedule, step.t, step.x_t, step.eps)
        return Step(step.schedule, step.t, step.x_t, step.eps, mean + sigma_beta(step.schedule, step.t) * z)

    with pytest.raises(CheckFailed, match="kurtosis"):
        reverse_step.check_gaussian([uniform(s) for s in steps(eps_form, sigma_beta)])
    with pytest.raises(NotJudged):
        reverse_step.check_gaussian(steps(eps_form, lambda s, t: 0.0))


def test_a_mean_that_bends_and_noise_that_is_shared_are_told_from_others():
    for mean, sigma in RIGHT:
        assert not any(bends(step) for step in steps(mean, sigma))
    straight = [m.formulas[0] for m in WRONG_MEANS if m.name in ("1/alpha in front", "a DDIM step", "q_sample")]
    assert not any(bends(step) for mean in straight for step in steps(mean, sigma_beta))
    clamped = [Step(s.schedule, s.t, s.x_t, s.eps, s.out.clamp(-1, 1)) for s in steps(eps_form, sigma_beta)]
    (to_unit,) = (m.formulas[0] for m in WRONG_MEANS if m.name == "x_0 clipped to [0, 1]")
    for made in (clamped, steps(to_unit, sigma_beta)):
        assert any(bends(step) for step in made)

    g = torch.Generator().manual_seed(4)
    x, eps = inside_inputs(STEEP, 10, (16, 3, 16, 16), g)
    for shared, are in (
        ((16, 3, 16, 16), False),
        ((1, 3, 16, 16), True),
        ((16, 1, 16, 16), True),
        ((16, 1, 1, 1), True),
    ):
        z = torch.randn(shared, generator=g)
        assert shares_noise(Step(STEEP, 10, x, eps, eps_form(STEEP, 10, x, eps) + 0.3 * z)) == are
    assert not shares_noise(Step(STEEP, 10, x, eps, eps_form(STEEP, 10, x, eps)))  # there is none
