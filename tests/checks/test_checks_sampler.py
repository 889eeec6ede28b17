"""The judge's own checks of level 4: right steps pass, each wrong formula fails and is named."""

import math

import pytest
import torch

from grader.checks import end_to_end, reverse_step, sampler_calls
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import Step, inside_inputs, outside_inputs
from grader.checks.sampler_mistakes import (
    RIGHT_MEANS,
    RIGHT_SIGMAS,
    WRONG_MEANS,
    WRONG_SIGMAS,
    clipped_form,
    eps_form,
    sigma_beta,
    sigma_beta_tilde,
)
from grader.checks.schedule import Schedule

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


def test_schedule_is_that_of_the_assignment():
    from assignment.ddpm.diffusion import GaussianDiffusion

    for s in (SHIPPED, STEEP):
        given = GaussianDiffusion(s.T, s.beta_start, s.beta_end)
        for mine, theirs in [(s.beta, given.betas), (s.alpha_bar, given.alpha_bar),
                             (s.posterior_variance, given.posterior_variance)]:  # fmt: skip
            torch.testing.assert_close(mine.float(), theirs)
    assert SHIPPED.at(0).beta_tilde == 0 and SHIPPED.at(-1) == SHIPPED.at(0) and STEEP.at(20) == STEEP.at(19)


# ---- one step


@pytest.mark.parametrize(("mean", "sigma"), RIGHT, ids=RIGHT_IDS)
def test_right_steps_pass(mean, sigma):
    inside, outside = both(mean, sigma)
    assert reverse_step.check_mean(inside, outside)["worst_of_allowed"] <= 1
    assert reverse_step.check_variance(inside)["steps"] == 8
    assert abs(reverse_step.check_gaussian(inside)["kurtosis"] - 3) < 0.1
    assert reverse_step.nearest_mistake(inside, outside) is None


WRONG_MEAN_FORMULAS = [(m.name, f) for m in WRONG_MEANS for f in m.formulas]
WRONG_SIGMA_FORMULAS = [(m.name, f) for m in WRONG_SIGMAS for f in m.formulas]


@pytest.mark.parametrize(("name", "mean"), WRONG_MEAN_FORMULAS, ids=[name for name, _ in WRONG_MEAN_FORMULAS])
def test_each_wrong_mean_is_named(name, mean):
    inside, outside = both(mean)
    with pytest.raises(CheckFailed) as failed:
        reverse_step.check_mean(inside, outside)
    assert failed.value.measurements["mistake"] == name
    assert reverse_step.nearest_mistake(inside, outside) == name


@pytest.mark.parametrize(("name", "sigma"), WRONG_SIGMA_FORMULAS, ids=[name for name, _ in WRONG_SIGMA_FORMULAS])
@pytest.mark.parametrize("mean", [eps_form, clipped_form])
def test_each_wrong_sigma_is_named(name, sigma, mean):
    inside, outside = both(mean, sigma)
    reverse_step.check_mean(inside, outside)
    with pytest.raises(CheckFailed) as failed:
        reverse_step.check_variance(inside)
    assert failed.value.measurements["mistake"] == name
    assert reverse_step.nearest_mistake(inside, outside) == name


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
        reverse_step.check_last_step(s, x, eps, *outs)


def test_clamped_after_the_noise_is_named():
    def clamped(s, t, x, eps):
        return eps_form(s, t, x, eps)

    inside, outside = both(clamped)
    cut = [Step(s.schedule, s.t, s.x_t, s.eps, s.out.clamp(-1, 1)) for s in inside + outside]
    with pytest.raises(CheckFailed) as failed:
        reverse_step.check_mean(cut[:8], cut[8:])
    assert failed.value.measurements["mistake"] == "x_{t-1} clamped"


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


SHAPE = (8, 8, 3, 16, 16)


@pytest.mark.parametrize(
    ("shared", "axis"),
    [((8, 8, 3, 16, 16), None), ((1, 8, 3, 16, 16), "calls"), ((8, 1, 3, 16, 16), "images of a batch"),
     ((8, 8, 1, 16, 16), "channels"), ((8, 8, 3, 1, 16), "rows"), ((8, 8, 3, 1, 1), "columns"),
     ((8, 1, 1, 1, 1), "columns"), ((8, 1, 1, 16, 16), "channels")],
)  # fmt: skip
def test_fresh_noise(shared, axis):
    g = torch.Generator().manual_seed(1)
    x, eps = outside_inputs(SHAPE[1:], g)
    outs = eps_form(STEEP, 10, x, eps) + 0.3 * torch.randn(shared, generator=g).expand(SHAPE)
    noise = reverse_step.step_noise(x, eps, outs)
    if axis is None:
        reverse_step.check_fresh_noise(noise)
    else:
        with pytest.raises(CheckFailed, match=f"between {axis}"):
            reverse_step.check_fresh_noise(noise)


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("mean", [eps_form, clipped_form])
def test_fresh_noise_along_a_trace(same, mean):
    """The network answers as if all images were 0.5: then x_0 stays inside and every right form agrees."""
    g = torch.Generator().manual_seed(1)
    x = torch.randn(4, 3, 16, 16, generator=g, dtype=torch.float64)
    z, xs, answers = torch.randn(x.shape, generator=g), [], []
    for t in reversed(range(STEEP.T)):
        h = STEEP.at(t)
        eps = (x - math.sqrt(h.alpha_bar) * 0.5) / math.sqrt(1 - h.alpha_bar)
        xs.append(x)
        answers.append(eps)
        z = z if same else torch.randn(x.shape, generator=g)
        x = mean(STEEP, t, x, eps) + sigma_beta_tilde(STEEP, t) * z
    noise = reverse_step.trace_noise(STEEP, torch.stack(xs), torch.stack(answers))
    if same:
        with pytest.raises(CheckFailed, match="between calls"):
            reverse_step.check_fresh_noise(noise)
    else:
        reverse_step.check_fresh_noise(noise)


@pytest.mark.parametrize("s", [SHIPPED, STEEP])
def test_last_step(s):
    g = torch.Generator().manual_seed(1)
    x, eps = outside_inputs((4, 3, 8, 8), g)
    for mean in RIGHT_MEANS.values():
        out = mean(s, 0, x, eps)
        reverse_step.check_last_step(s, x, eps, out, out + 1e-10 * torch.randn(x.shape, generator=g))
    noisy = [eps_form(s, 0, x, eps) + sigma_beta(s, 0) * torch.randn(x.shape, generator=g) for _ in range(2)]
    with pytest.raises(CheckFailed, match="twice the same"):
        reverse_step.check_last_step(s, x, eps, *noisy)
    with pytest.raises(CheckFailed, match="the mean without noise") as failed:
        reverse_step.check_last_step(s, x, eps, x, x)
    assert "unchanged" in failed.value.hint


@pytest.mark.parametrize("s", [SHIPPED, STEEP])
def test_mixed_t(s):
    g = torch.Generator().manual_seed(1)
    t = [0, 5, s.T - 1, 0, s.T // 2]
    pairs = [inside_inputs(s, step, (3, 32, 32), g) for step in t]
    x, eps = (torch.stack(values) for values in zip(*pairs, strict=True))

    def out(mean, sigma, coefficients_of=lambda i: t[i], noisy=lambda i: t[i] > 0):
        return torch.stack([
            mean(s, coefficients_of(i), x[i], eps[i])
            + noisy(i) * sigma(s, coefficients_of(i)) * torch.randn(x[i].shape, generator=g)
            for i in range(len(t))
        ])  # fmt: skip

    for mean, sigma in RIGHT:
        reverse_step.check_mixed_t(s, t, x, eps, out(mean, sigma))
    wrong = {
        "noise by t[0]": (out(eps_form, sigma_beta, noisy=lambda i: False), "got no noise"),
        "noise for all": (out(eps_form, sigma_beta, noisy=lambda i: True), "has noise"),
        "coefficients by t[0]": (out(eps_form, sigma_beta_tilde, lambda i: t[0]), "as if its t were 0"),
    }
    for y, what in wrong.values():
        with pytest.raises(CheckFailed, match=what):
            reverse_step.check_mixed_t(s, t, x, eps, y)


# ---- trace


def test_order():
    down = list(range(9, -1, -1))
    assert sampler_calls.check_order(down, 10) == {"calls": 10, "T": 10}
    for ts, what in [
        ([], "never called"), ([10, *down[:-1]], "starts at t = T"), (down[:-1], "stops at t = 1"),
        (down[1:], "starts at t = 8"), (down[1:-1], "starts at t = 8 and stops at t = 1"), (down[::-1], "goes up"),
        (down[::2], "only 5 of 10"), ([t for t in down for _ in range(2)], "twice"), ([9] * 10, "in all 10 calls"),
        ([*down, 0], "11 calls"), ([9, 8, 8, *down[3:]], "call 3 has t = 8"), ([*down[:8], 0, 1], "another order"),
    ]:  # fmt: skip
        with pytest.raises(CheckFailed, match=what):
            sampler_calls.check_order(ts, 10)


def test_timestep_tensors():
    def check(dtype="torch.int64", shape=(3,), device="cpu"):
        return sampler_calls.check_timestep_tensors([dtype] * 2, [shape] * 2, [device] * 2, 3, "cpu")

    assert check()["calls"] == 2 and check("torch.int32")
    sampler_calls.check_timestep_tensors(["torch.int64"], [[3]], ["cuda:0"], 3, "cuda")
    for wrong in ({"dtype": "torch.float32"}, {"dtype": None}, {"shape": ()}, {"shape": (1,)}, {"shape": (3, 1)},
                  {"device": "cuda"}):  # fmt: skip
        with pytest.raises(CheckFailed):
            check(**wrong)


def test_starting_noise():
    g = torch.Generator().manual_seed(2)
    z = torch.randn(64, 3, 16, 16, generator=g)
    assert sampler_calls.check_starting_noise(z)["n"] == z.numel()
    for wrong, what in [
        (torch.rand(z.shape, generator=g), "mean"), (torch.zeros_like(z), "variance"), (2 * z, "variance"),
        ((torch.rand(z.shape, generator=g) - 0.5) * math.sqrt(12), "kurtosis"), (z.clamp(-1, 1), "variance"),
        (z[:1].expand_as(z), "images of the batch"), (z[:, :1].expand_as(z), "channels"),
    ]:  # fmt: skip
        with pytest.raises(CheckFailed, match=what):
            sampler_calls.check_starting_noise(wrong)


def test_eval_and_no_grad():
    assert sampler_calls.check_eval([False, False]) and sampler_calls.check_no_grad([False])
    for check, seen in ((sampler_calls.check_eval, [False, True]), (sampler_calls.check_no_grad, [True])):
        with pytest.raises(CheckFailed):
            check(seen)
    with pytest.raises(CheckFailed):
        sampler_calls.check_no_grad([False], output_requires_grad=True)


# ---- end to end


def samples(s, *, mean=eps_form, sigma=sigma_beta_tilde, n=1 << 18, **parts):
    """Samples from a sampler in float32, like a student's."""
    oracle = end_to_end.GaussianOracle(s)
    g = torch.Generator().manual_seed(5)
    x = torch.randn(n // 64, 1, 8, 8, generator=g)
    for t in parts.get("steps", reversed(range(s.T))):
        eps = oracle(x, torch.full((len(x),), parts.get("sees", lambda t: t)(t)))
        noise = sigma(s, t) * torch.randn(x.shape, generator=g) if t or "noise_at_0" in parts else 0
        x = (mean(s, t, x, eps) + noise).float()
    return x.clamp(-1, 1)


@pytest.mark.parametrize(("mean", "sigma"), RIGHT, ids=RIGHT_IDS)
def test_right_samples_pass(mean, sigma):
    assert end_to_end.check_end_to_end(samples(STEEP, mean=mean, sigma=sigma))["n"] == 1 << 18


def test_oracle_sees_each_images_own_t():
    x = torch.randn(3, 1, 4, 4)
    oracle = end_to_end.GaussianOracle(STEEP)
    together = oracle(x, torch.tensor([0, 7, 19], dtype=torch.int32))
    assert torch.equal(together, torch.cat([oracle(x[i : i + 1], t) for i, t in enumerate((0, 7, 19))]))


@pytest.mark.parametrize(
    ("parts", "name"),
    [({"steps": range(19, 0, -1)}, "last step"), ({"sees": lambda t: min(t + 1, 19)}, "t + 1"),
     ({"sees": lambda t: max(t - 1, 0)}, "t - 1"), ({"noise_at_0": 1, "sigma": sigma_beta}, "noise at t = 0"),
     ({"steps": range(20)}, "reverse order"), ({"sigma": lambda s, t: s.at(t).beta}, "a missing root"),
     ({"mean": WRONG_MEANS[3].formulas[0]}, "missing 1/sqrt(alpha)")],
)  # fmt: skip
def test_wrong_samples_fail_and_are_named(parts, name):
    with pytest.raises(CheckFailed) as failed:
        end_to_end.check_end_to_end(samples(STEEP, **parts))
    assert name in failed.value.hint


def test_the_table_of_mistakes_does_not_hold_a_right_answer():
    """At 2**16 pixels only one mutant passes as right, as its clamp hardly acts; the check of a step catches it."""
    right = [end_to_end.expected_moments(STEEP, name) for name in RIGHT_SIGMAS]
    hidden = {
        name
        for name, _, moments in end_to_end.mutants(STEEP)
        if any(end_to_end.agrees(moments, r, 1 << 16) for r in right)
    }
    assert hidden == {"x_{t-1} clamped"}
