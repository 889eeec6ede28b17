"""Whole samplings, step by step: right ones of either form pass at any T and shape, others are seen."""

import math

import pytest
import torch

from grader.checks.finding import CheckFailed
from grader.checks.samplings import check_samplings, judge_sampling
from grader.checks.schedule import Schedule
from grader.checks.step_errors import steps_of
from grader.checks.step_formulas import RIGHT_MEANS, RIGHT_SIGMAS
from grader.checks.telling_network import TellingNetwork
from grader.checks.transitions import FORMS
from tests.support.steps import SHIPPED, STEEP

SHAPE = (5, 2, 9, 13)


def sampling(
    s=STEEP, shape=SHAPE, form=("eps form", "beta-tilde"), *, seed=0, heard=lambda t, x, eps: eps, noise=None,
    result=lambda x: x.clamp(-1, 1), shown=lambda x: x, network=None,
):  # fmt: skip
    """One by a sampler of a right form in float32, with a fault: what is heard, added, returned or shown is another."""
    g, network = torch.Generator().manual_seed(seed), network or TellingNetwork(s, seed + 1)
    mean, sigma = RIGHT_MEANS[form[0]], RIGHT_SIGMAS[form[1]]
    x, ts, xs, answers = torch.randn(shape, generator=g), list(reversed(range(s.T))), [], []
    for t in ts:
        xs.append(shown(x).float())
        answers.append(network(xs[-1], torch.full((shape[0],), t)))
        z = torch.randn(shape, generator=g) if noise is None else noise(t, g)
        x = (mean(s, t, x, heard(t, x, answers[-1])) + (sigma(s, t) * z if t else 0)).float()
    steps = steps_of(s, ts, xs, answers, result(x))[::-1]
    return steps, result(x)


def judged(*args, rounding=0.0, **options):
    return judge_sampling("it", *sampling(*args, **options), rounding)


@pytest.mark.parametrize("form", FORMS, ids=", ".join)
@pytest.mark.parametrize(
    ("s", "shape"),
    [
        (STEEP, SHAPE),
        (SHIPPED, (9, 2, 15, 16)),
        (Schedule(60, 0.007, 0.45), (1, 3, 17, 19)),
        (Schedule(2, 0.007, 0.3), (8, 1, 3, 4)),
        (Schedule(1, 0.01, 0.4), (4, 1, 5, 6)),
    ],
    ids=str,
)
def test_a_right_sampling_is_of_its_form(s, shape, form):
    found = judged(s, shape, form)
    assert form in found.forms
    if s.T >= 20:
        assert found.forms == {form}
    check_samplings([found], {form})
    check_samplings([found], None)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_what_the_network_sees_may_be_of_half_precision(dtype):
    for s in (STEEP, SHIPPED):
        found = judged(s, shown=lambda x: x.to(dtype), rounding=torch.finfo(dtype).eps)
        assert ("eps form", "beta-tilde") in found.forms
    pushed = judged(
        shown=lambda x: x.to(dtype), rounding=torch.finfo(dtype).eps, network=lambda x, t: torch.full_like(x, 30.0)
    )
    assert ("eps form", "beta-tilde") in pushed.forms


FAULTS = {
    "the answer dropped in the middle third": {"heard": lambda t, x, eps: 0 * eps if 333 < t < 666 else eps},
    "the answer scaled near T": {"heard": lambda t, x, eps: 1.5 * eps if t > 900 else eps},
    "the answer scaled everywhere": {"heard": lambda t, x, eps: 1.1 * eps},
    "another answer for one image": {"heard": lambda t, x, eps: torch.cat([eps[:-1], 0 * eps[-1:]])},
    "another answer for one row": {"heard": lambda t, x, eps: eps * (torch.arange(eps.shape[2]) > 0).view(-1, 1)},
    "eps made from x": {"heard": lambda t, x, eps: x / math.sqrt(1 - SHIPPED.at(t).alpha_bar)},
    "louder noise in ten steps": {
        "noise": lambda t, g: (1.3 if 500 <= t < 510 else 1) * torch.randn(SHAPE, generator=g)
    },
    "uniform noise": {"noise": lambda t, g: (torch.rand(SHAPE, generator=g) - 0.5) * math.sqrt(12)},
    "noise shared by two images": {
        "noise": lambda t, g: torch.randn(SHAPE, generator=g)[[0, 1, 2, 3, 0]],
    },
    "another result": {"result": lambda x: (x + 0.01).clamp(-1, 1)},
    "no clamp": {"result": lambda x: 1.5 * x},
    "another x shown": {"shown": lambda x: 0.98 * x},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_sampling_with_a_fault_is_of_no_form(fault):
    found = judged(SHIPPED, **fault)
    assert found.forms == set()
    with pytest.raises(CheckFailed, match=r"in a sampling of it: expected every step to be Algorithm 2's"):
        check_samplings([found], None)


def test_the_place_is_named():
    late = {"heard": lambda t, x, eps: eps if t < 50 else 0 * eps}
    assert judged(Schedule(60, 0.01, 0.02), **late).nearest.where.startswith("t = 5")
    assert judged(STEEP, result=lambda x: x.clamp(-1, 1).flip(0)).nearest.what == "the result"
    loud = sampling(noise=lambda t, g: 2 * torch.randn(SHAPE, generator=g))
    assert judge_sampling("it", *loud).nearest.what == "the variance"


def test_noise_that_comes_again_is_seen():
    kept = torch.randn(SHAPE, generator=torch.Generator().manual_seed(9))
    assert judged(noise=lambda t, g: kept).forms == set()
    turns = [torch.randn(SHAPE, generator=torch.Generator().manual_seed(k)) for k in (9, 10)]
    assert judged(noise=lambda t, g: turns[t % 2]).forms == set()


def test_all_samplings_and_p_sample_are_of_one_form():
    beta, tilde = (judged(form=("eps form", name)) for name in ("beta", "beta-tilde"))
    check_samplings([beta, beta], {("eps form", "beta"), ("clipped x_0", "beta")})
    with pytest.raises(CheckFailed, match=r"variance beta-tilde in a sampling of it, but .* beta in one of it"):
        check_samplings([beta, tilde], None)
    with pytest.raises(CheckFailed, match="but the clipped x_0 with variance beta in p_sample"):
        check_samplings([beta], {("clipped x_0", "beta")})


def test_how_often_chance_fails_a_sampling():
    """By 6 standard errors, 1e-5 at T = 1000; here 40 of 20 steps stay within nine tenths of the limit."""
    worst = [judged(seed=seed).deviations["eps form", "beta-tilde"].excess for seed in range(40)]
    assert max(worst) < 0.9


def test_formulas_in_float32_are_right():
    """As students compute them; see test_schedules_in_float32_are_right."""
    s, g, x = SHIPPED, torch.Generator().manual_seed(3), torch.randn(SHAPE, generator=torch.Generator().manual_seed(4))
    beta = torch.linspace(s.beta_start, s.beta_end, s.T)
    alpha = 1 - beta
    bar = alpha.cumprod(0)
    prev = bar / alpha
    network, ts, xs, answers = TellingNetwork(s, 1), list(reversed(range(s.T))), [], []
    for t in ts:
        xs.append(x)
        answers.append(network(x, torch.full((SHAPE[0],), t)))
        x_0 = ((x - (1 - bar[t]).sqrt() * answers[-1]) / bar[t].sqrt()).clamp(-1, 1)
        mean = (prev[t].sqrt() * beta[t] * x_0 + alpha[t].sqrt() * (1 - prev[t]) * x) / (1 - bar[t])
        x = mean + (beta[t].sqrt() * torch.randn(SHAPE, generator=g) if t else 0)
    result = x.clamp(-1, 1)
    found = judge_sampling("it", steps_of(s, ts, xs, answers, result)[::-1], result)
    assert found.forms == {("clipped x_0", "beta")}
