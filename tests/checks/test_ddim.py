"""DDIM without a submission: the formulas, the mistakes by name, the timesteps, and whole samplings."""

import math
from contextlib import suppress

import pytest
import torch

from grader.checks import ddim_samplings, ddim_timesteps
from grader.checks.ddim_formulas import affine, ddim_mean, ddim_sigma, expected_moments, with_sigma
from grader.checks.ddim_mistakes import WRONG_MEANS, WRONG_SIGMAS, mean_that_goes_with
from grader.checks.ddim_step import (
    Jump,
    check_deterministic,
    check_last_step,
    check_mean,
    check_variance,
    end_mistake,
    mean_mistake,
    sigma_mistake,
)
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.gaussian_world import GaussianOracle
from grader.checks.measure_step import inside_inputs, outside_inputs
from grader.checks.schedule import Schedule
from grader.checks.step_errors import steps_of
from grader.checks.step_formulas import eps_form, sigma_beta_tilde
from grader.checks.subsequence import Subsequence, visited
from grader.checks.telling_network import TellingNetwork
from tests.support.steps import SHIPPED, STEEP

N = 1 << 13
PAIRS = {SHIPPED: ((999, 700), (500, 499), (300, 20), (40, 7)), STEEP: ((19, 11), (12, 11), (9, 1))}
SHAPE = (5, 2, 9, 13)
FORM = ddim_samplings.FORM


def jumps(mean=ddim_mean, sigma=ddim_sigma, *, inside=True, etas=(0.0, 0.5, 1.0), pairs=PAIRS):
    """One call for each pair and eta, by a sampler with this mean and sigma."""
    g, made = torch.Generator().manual_seed(3), []
    for whole, of in pairs.items():
        for eta in etas:
            for t, t_prev in of:
                s = Subsequence.jump(whole, t, t_prev, eta)
                x, eps = inside_inputs(whole, t, (N,), g) if inside else outside_inputs((N,), g, 3.0)
                out = mean(s, s.last, x, eps) + sigma(s, s.last) * torch.randn(N, generator=g)
                made.append(Jump(s, s.last, x, eps, out))
    return made


def both(mean=ddim_mean, sigma=ddim_sigma):
    return jumps(mean, sigma), jumps(mean, sigma, inside=False)


def test_the_right_step_passes():
    assert check_mean(*both())["worst_of_allowed"] < 1
    assert check_variance(jumps())["worst_of_allowed"] < 1


def test_eta_1_from_t_to_t_minus_1_is_ddpm_exactly():
    g = torch.Generator().manual_seed(0)
    x, eps = (torch.randn(64, generator=g, dtype=torch.float64) for _ in range(2))
    for whole in (SHIPPED, STEEP):
        s = Subsequence.of(whole, range(whole.T), 1.0)
        for t in range(whole.T):
            torch.testing.assert_close(ddim_mean(s, t, x, eps), eps_form(whole, t, x, eps), rtol=1e-9, atol=1e-9)
            assert ddim_sigma(s, t) == pytest.approx(sigma_beta_tilde(whole, t), rel=1e-6, abs=1e-9)


def test_in_the_gaussian_world_eta_1_over_all_steps_is_algorithm_2():
    oracle = GaussianOracle(STEEP, -0.3, 0.14)
    found = expected_moments(Subsequence.of(STEEP, range(STEEP.T), 1.0), oracle)
    assert found == pytest.approx(oracle.expected_moments("beta-tilde"), rel=1e-9)


def test_more_steps_without_noise_come_nearer_to_the_images():
    oracle = GaussianOracle(SHIPPED, -0.3, 0.14)
    spreads = [
        expected_moments(Subsequence.of(SHIPPED, visited(1000, n)[::-1], 0.0), oracle)[1] for n in (10, 50, 1000)
    ]
    assert spreads == sorted(spreads) and spreads[-1] == pytest.approx(oracle.std, rel=2e-2)


@pytest.mark.parametrize("mistake", WRONG_MEANS, ids=lambda m: m.name)
def test_each_wrong_mean_is_named(mistake):
    for formula in mistake.formulas:
        inside, outside = both(formula)
        with pytest.raises(CheckFailed, match="expected a mean of") as failed:
            check_mean(inside, outside)
        found = mean_mistake([*inside, *outside])
        assert found is not None and failed.value.hint == found.hint
        assert found.name == mistake.name


@pytest.mark.parametrize("mistake", WRONG_SIGMAS, ids=lambda m: m.name)
def test_each_wrong_sigma_is_named_and_a_mean_that_goes_with_it_waits(mistake):
    for formula in mistake.formulas:
        inside = jumps(sigma=formula)
        with pytest.raises(CheckFailed, match="expected noise of standard deviation") as failed:
            check_variance(inside)
        found = sigma_mistake(inside)
        assert found is not None and failed.value.hint == found.hint and found.name == mistake.name
    for mean, sigma in zip(mean_that_goes_with(mistake), mistake.formulas, strict=True):
        with suppress(NotJudged):  # the direction may be the same within the tolerances
            check_mean(*both(mean, sigma))


def test_a_mean_waits_for_its_sigma():
    eta_ignored = next(m for m in WRONG_SIGMAS if m.name == "eta ignored")
    with pytest.raises(NotJudged, match=r"waits for step\.variance"):
        check_mean(*both(mean_that_goes_with(eta_ignored)[0], eta_ignored.formulas[0]))


def test_no_sigma_in_the_direction_is_a_wrong_mean_though_the_noise_is_right():
    inside, outside = both(with_sigma(lambda s, i: 0.0))
    check_variance(inside)
    with pytest.raises(CheckFailed, match="expected a mean"):
        check_mean(inside, outside)


def test_noise_without_eta_is_not_deterministic():
    first, again, other = (jumps(etas=(0.0,)), jumps(etas=(0.0,)), jumps(sigma=lambda s, i: 0.01, etas=(0.0,)))
    check_deterministic(list(zip(first, again, strict=True)))
    with pytest.raises(CheckFailed, match="expected twice the same images"):
        check_deterministic(list(zip(first, other, strict=True)))


# ---- the last step


def last(prev=1.0, noise=0.0, eta=0.0):
    g, s = torch.Generator().manual_seed(1), Subsequence.jump(STEEP, 0, -1, eta)
    x, eps = inside_inputs(STEEP, 0, SHAPE, g)
    x_0 = ddim_mean(s, 0, x, eps)
    out = math.sqrt(prev) * x_0 + math.sqrt(1 - prev) * eps + noise * torch.randn(SHAPE, generator=g)
    return Jump(s, 0, x, eps, out)


def test_the_last_step_is_the_estimate_of_x_0_and_other_ends_are_named():
    check_last_step([(last(), last())])
    for name, prev in {"the last entry": STEEP.alpha_bar[-1], "alpha_bar[0]": STEEP.alpha_bar[0], "0": 0.0}.items():
        wrong = last(float(prev))
        assert end_mistake(wrong, wrong.out) == end_mistake(wrong, wrong.out.clamp(-1, 1)) == name
        with pytest.raises(CheckFailed) as failed:
            check_last_step([(wrong, wrong)])
        assert failed.value.measurements["mistake"] == f"alpha_bar at the end is {name}"
    assert end_mistake(last(), last().out) is None
    with pytest.raises(CheckFailed, match="and others in each call"):
        check_last_step([(last(), last(noise=0.1))])


# ---- timesteps


@pytest.mark.parametrize(("T", "steps"), [(1000, 10), (1000, 50), (1000, 1000), (20, 19), (7, 2)])
def test_the_convention_and_its_roundings_are_right(T, steps):
    exact = [(T - 1) * (1 - k / (steps - 1)) for k in range(steps)]
    for ts in (visited(T, steps), [math.floor(t + 1e-9) for t in exact], [math.ceil(t - 1e-9) for t in exact]):
        assert ts[0] == T - 1 and ts[-1] == 0
        assert ddim_timesteps.check_timesteps(ts, T, steps)["calls"] == steps


GAP, RIGHT = 100, visited(1000, 10)
WRONG_TIMESTEPS = {
    "the model was never called": [],
    "t counts the steps, 9 … 0": list(range(9, -1, -1)),
    "t was 999 in all 10 calls": [999] * 10,
    "t goes up": RIGHT[::-1],
    "all T = 1000 timesteps are visited": list(range(999, -1, -1)),
    "every step calls the model twice": [t for t in RIGHT for _ in range(2)],
    "it starts at t = 1000": [t + 1 for t in RIGHT],
    "it goes on to t = -1": [*RIGHT[:-1], -1],
    "9 calls are made": RIGHT[1:],
    "11 calls are made": visited(1000, 11),
    "it starts at t = 900": list(range(900, -1, -GAP)),
    "it stops at t = 99": list(range(999, 0, -GAP)),
    "it starts at t = 990 and stops at t = 9": [990 - 109 * k for k in range(10)],
    "the timesteps aren't evenly spaced": [round(999 * (1 - k / 9) ** 2) for k in range(10)],
    "the timesteps don't fall": [999, 0, *RIGHT[1:-2], 0],
}


@pytest.mark.parametrize(("what", "ts"), WRONG_TIMESTEPS.items(), ids=WRONG_TIMESTEPS)
def test_each_wrong_choice_of_timesteps_is_named(what, ts):
    with pytest.raises(CheckFailed, match="expected 10 calls of the model at t = 999, 888, 777, …, 0") as failed:
        ddim_timesteps.check_timesteps(ts, 1000, 10)
    assert what.split(" at t = 9 ")[0] in failed.value.message and failed.value.hint


# ---- samplings


def sampling(eta=0.5, steps=10, whole=SHIPPED, *, seed=0, heard=lambda t, eps: eps, result=lambda x: x.clamp(-1, 1),
             jump=lambda x: x, noise=None):  # fmt: skip
    """One in float32, with a fault: what is heard, added, returned, or gone on with, is another."""
    s = Subsequence.of(whole, visited(whole.T, steps)[::-1], eta)
    g, network, x, xs, answers = torch.Generator().manual_seed(seed), TellingNetwork(whole, seed + 1), None, [], []
    x = torch.randn(SHAPE, generator=g)
    for i in range(s.last, -1, -1):
        xs.append(x)
        answers.append(network(x, torch.full((SHAPE[0],), s.timesteps[i])))
        z = torch.randn(SHAPE, generator=g) if noise is None else noise
        x = ddim_mean(s, i, jump(x), heard(s.timesteps[i], answers[-1])) + ddim_sigma(s, i) * z
        x = x.float()
    made = steps_of(s, range(s.last, -1, -1), xs, answers, result(x))[::-1]
    return made, result(x)


def judged(*args, **options):
    return ddim_samplings.judge("it", *sampling(*args, **options))


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("whole", "steps"), [(SHIPPED, 10), (SHIPPED, 50), (STEEP, 5), (STEEP, 20), (STEEP, 2)])
def test_a_right_sampling_is_right(whole, steps, eta):
    assert judged(eta, steps, whole).forms == {FORM}


FAULTS = {
    "the answer scaled in the middle": {"heard": lambda t, eps: 0.8 * eps if 333 < t < 666 else eps},
    "another answer for one image": {"heard": lambda t, eps: torch.cat([eps[:-1], 0 * eps[-1:]])},
    "another result": {"result": lambda x: (x + 0.01).clamp(-1, 1)},
    "no clamp": {"result": lambda x: 1.5 * x},
    "goes on with another x": {"jump": lambda x: 0.98 * x},
    "clamps x": {"jump": lambda x: x.clamp(-1, 1)},
}


@pytest.mark.parametrize("eta", [0.0, 0.6])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_sampling_with_a_fault_is_not(fault, eta):
    assert judged(eta, **fault).forms == set()


def test_noise_that_comes_again_in_the_next_step_is_seen():
    assert judged(0.6, noise=torch.randn(SHAPE, generator=torch.Generator().manual_seed(9))).forms == set()


def test_how_often_chance_fails_a_sampling():
    """By 6 standard errors, under 1e-5; here 40 stay within nine tenths of the limit."""
    assert max(judged(0.5, 10, STEEP, seed=seed).deviations[FORM].excess for seed in range(40)) < 0.9


# ---- to noise and back


def test_images_come_back_from_the_noise_that_they_are_encoded_as():
    for whole, steps in ((SHIPPED, 10), (SHIPPED, 50), (Schedule(20, 0.01, 0.4), 6)):
        s, oracle = Subsequence.of(whole, visited(whole.T, steps)[::-1], 0.0), GaussianOracle(whole, -0.3, 0.14)
        x_0 = -0.3 + 0.14 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(2))
        x = x_T = ddim_samplings.encode(s, oracle, x_0).float()
        assert 0.7 < x_T.std() < 3
        for i in reversed(range(s.T)):
            x = ddim_mean(s, i, x, oracle(x, s.timesteps[i])).float()
            assert affine(s, oracle, i)[1] > 0
        ddim_samplings.check_back(x_0, x, s)
        ddim_samplings.check_decoded(x_T, x.clamp(-1, 1), s, oracle)
        with pytest.raises(CheckFailed, match="expected the images that the noise was made from"):
            ddim_samplings.check_back(x_0, 0.98 * x, s)
        with pytest.raises(CheckFailed, match="expected the images that x_T stands for"):
            ddim_samplings.check_decoded(x_T, x.clamp(-1, 1) + 0.01, s, oracle)


def test_a_spread_that_is_off_fails():
    s, oracle = Subsequence.of(SHIPPED, visited(1000, 10)[::-1], 0.0), GaussianOracle(SHIPPED, -0.3, 0.14)
    mean, std = expected_moments(s, oracle)
    z = torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(2))
    ddim_samplings.check_moments(mean + std * z, s, oracle)
    for wrong in (mean + 1.1 * std * z, mean + 0.02 + std * z):
        with pytest.raises(CheckFailed, match="10 of T = 1000 timesteps, eta = 0: expected samples with mean"):
            ddim_samplings.check_moments(wrong, s, oracle)
