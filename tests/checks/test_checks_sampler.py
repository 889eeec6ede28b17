"""The judge's own checks of level 4: right steps pass, each wrong formula fails and is named."""

import math

import pytest
import torch

from grader.checks import end_to_end, reverse_step, sampler_calls
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import Step, bends, inside_inputs, outside_inputs, shares_noise
from grader.checks.sampler_mistakes import (
    RIGHT_MEANS,
    RIGHT_SIGMAS,
    WRONG_MEANS,
    WRONG_SIGMAS,
    clipped_form,
    eps_form,
    posterior_weights,
    sigma_beta,
    sigma_beta_tilde,
    x0_estimate,
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
        reverse_step.check_last_step(s, x, eps, *outs)


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


def test_fresh_noise_within_a_call_does_not_depend_on_the_mean():
    g = torch.Generator().manual_seed(1)
    x, eps = outside_inputs(SHAPE[1:], g)
    for shared, axis in (((8, 8, 3, 16, 16), None), ((8, 1, 3, 16, 16), "images of a batch")):
        z = torch.randn(shared, generator=g).expand(SHAPE)
        outs = (eps_form(STEEP, 10, x, eps) + 0.3 * z).clamp(-1, 1)  # a mean that is not linear
        noise = reverse_step.call_noise(outs)
        if axis is None:
            reverse_step.check_fresh_noise(noise, reverse_step.WITHIN)
            with pytest.raises(CheckFailed, match="between calls"):  # why the test of level 4 then asks for the mean
                reverse_step.check_fresh_noise(reverse_step.step_noise(x, eps, outs))
        else:
            with pytest.raises(CheckFailed, match=f"between {axis}"):
                reverse_step.check_fresh_noise(noise, reverse_step.WITHIN)
    assert reverse_step.call_noise(outs[:1].expand(SHAPE)) is None


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
def test_a_wrong_alpha_bar_before_the_first_step_is_named(s):
    g = torch.Generator().manual_seed(1)
    x, eps = inside_inputs(s, 0, (8, 3, 16, 16), g)
    z = torch.randn(2, *x.shape, generator=g)
    for prev in (s.alpha_bar[0].item(), s.alpha_bar[-1].item(), 0.0):  # repeated, rolled or index −1, padded with 0
        h = s.at(0)._replace(alpha_bar_prev=prev)
        noisy = eps_form(s, 0, x, eps) + math.sqrt(h.beta * (1 - prev) / (1 - h.alpha_bar)) * z
        with pytest.raises(CheckFailed, match="twice the same") as failed:
            reverse_step.check_last_step(s, x, eps, *noisy, beta_tilde=True)
        assert "alpha_bar_prev at t = 0 is 1" in failed.value.hint
        c1, c2 = posterior_weights(h)
        out = (c1 * x0_estimate(h, x.double(), eps.double()).clamp(-1, 1) + c2 * x).float()
        with pytest.raises(CheckFailed, match="the mean without noise") as failed:
            reverse_step.check_last_step(s, x, eps, out, out)
        assert "alpha_bar_prev at t = 0 is 1" in failed.value.hint
    # beta and no mask is another fault, and so is the clipped log-variance without one
    for sigma, beta_tilde in ((sigma_beta(s, 0), False), (sigma_beta_tilde(s, 1), True)):
        with pytest.raises(CheckFailed) as failed:
            reverse_step.check_last_step(s, x, eps, *(eps_form(s, 0, x, eps) + sigma * z), beta_tilde=beta_tilde)
        assert "(t > 0).view(-1, 1, 1, 1)" in failed.value.hint


def test_a_mean_that_is_wrong_everywhere_is_not_the_last_steps_fault():
    x, eps = inside_inputs(STEEP, 0, (8, 3, 16, 16), torch.Generator().manual_seed(1))
    with pytest.raises(CheckFailed):
        reverse_step.check_last_step(STEEP, x, eps, 0.9 * x, 0.9 * x)
    assert reverse_step.check_last_step(STEEP, x, eps, 0.9 * x, 0.9 * x, mean_is_right=False)["off"] > 0.05


class Mixed:
    """What a sampler returns for a mixed batch and for unmixed ones, as the test of level 4 asks for it.

    Args:
        step: (schedule, t of one image, its x, eps and z, all t of the batch) → its x_{t-1}
        drawn: how z is drawn: for the whole "batch", or "image by image", so that seeds don't help
    """

    def __init__(self, s, step, drawn="batch", seed=1):
        self.t = [0, 5, s.T - 1, 0, 1]
        g = torch.Generator().manual_seed(seed)
        pairs = [inside_inputs(s, t, (3, 32, 32), g) for t in self.t]
        self.x, self.eps = (torch.stack(values) for values in zip(*pairs, strict=True))

        def calls(t):
            outs = []
            for k in range(4):
                own = torch.Generator().manual_seed(k) if drawn == "batch" else g
                z = torch.randn(self.x.shape, generator=own)
                outs.append(torch.stack([step(s, *row, t) for row in zip(t, self.x, self.eps, z, strict=True)]))
            return torch.stack(outs)

        self.mixed, self.alone = calls(self.t), {t: calls([t] * 5) for t in dict.fromkeys(self.t)}

    def check(self):
        return reverse_step.check_mixed_t(self.t, self.x, self.eps, self.mixed, self.alone)


def one_step(mean, sigma):
    return lambda s, t, x, eps, z, all_t: mean(s, t, x, eps) + (t > 0) * sigma(s, t) * z


@pytest.mark.parametrize("drawn", ["batch", "image by image"])
@pytest.mark.parametrize("s", [SHIPPED, STEEP])
def test_mixed_t(s, drawn):
    for mean, sigma in RIGHT:
        measured = Mixed(s, one_step(mean, sigma), drawn).check()
        assert measured["rows"] == 5 and measured["margin"] == 1 if drawn == "batch" else measured["margin"] > 0
    wrong = {
        "got no noise": lambda s, t, x, eps, z, all_t: eps_form(s, t, x, eps) + (all_t[0] > 0) * sigma_beta(s, t) * z,
        "has noise": lambda s, t, x, eps, z, all_t: eps_form(s, t, x, eps) + (max(all_t) > 0) * sigma_beta(s, t) * z,
        "as if its t were 0": lambda s, t, x, eps, z, all_t: (
            eps_form(s, all_t[0], x, eps) + sigma_beta_tilde(s, all_t[0]) * z
        ),
        "was not stepped": lambda s, t, x, eps, z, all_t: (
            eps_form(s, s.T * len(set(all_t)) // 5, x, eps) + sigma_beta(s, 3) * z
        ),
    }
    for what, step in wrong.items():
        with pytest.raises(CheckFailed, match=what):
            Mixed(s, step, drawn).check()


@pytest.mark.parametrize("drawn", ["batch", "image by image"])
@pytest.mark.parametrize("mistake", WRONG_MEANS + WRONG_SIGMAS, ids=lambda mistake: mistake.name)
def test_who_is_wrong_in_the_same_way_mixed_and_unmixed_keeps_mixed_t(mistake, drawn):
    for formula in mistake.formulas:
        wrong = (formula, sigma_beta) if mistake in WRONG_MEANS else (eps_form, formula)
        Mixed(STEEP, one_step(*wrong), drawn).check()


def test_mixed_t_of_other_faults():
    def clamped(s, t, x, eps, z, all_t):
        return (eps_form(s, t, x, eps) + (t > 0) * sigma_beta(s, t) * z).clamp(-1, 1)

    def shared(s, t, x, eps, z, all_t):  # one number as an image's noise
        return eps_form(s, t, x, eps) + (t > 0) * sigma_beta(s, t) * z[0, 0, 0]

    def nan_at(*steps):
        return lambda s, t, x, eps, z, all_t: math.nan * x if t in steps else eps_form(s, t, x, eps)

    for drawn in ("batch", "image by image"):
        Mixed(STEEP, clamped, drawn).check()
        assert Mixed(STEEP, nan_at(0), drawn).check()["rows"] == 3
        with pytest.raises(NotJudged, match=r"waits for step\.last_step"):
            Mixed(STEEP, nan_at(0, 1, 5), drawn).check()
        with pytest.raises(CheckFailed, match="not stepped"):
            Mixed(STEEP, lambda s, t, x, *more: math.nan * x if len(set(more[-1])) > 1 else x, drawn).check()
    Mixed(STEEP, shared).check()
    with pytest.raises(NotJudged, match=r"waits for step\.fresh_noise"):
        Mixed(STEEP, shared, "image by image").check()


def test_how_often_chance_fails_mixed_t_where_noise_is_drawn_image_by_image():
    """By its 6 standard errors about 5e-8; here 100 draws stay within three quarters of the limit."""
    margins = [
        Mixed(STEEP, one_step(eps_form, sigma_beta), "image by image", seed).check()["margin"] for seed in range(100)
    ]
    assert min(margins) > 0.25


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
        mutant.name
        for mutant in end_to_end.mutants(STEEP)
        if any(end_to_end.agrees(mutant.moments, r, 1 << 16) for r in right)
    }
    assert hidden == {"x_{t-1} clamped"}


DOWN = list(range(19, -1, -1))
STEPS_PASSED = dict.fromkeys(("step.mean", "step.variance", "step.last_step", "step.fresh_noise"))


def said(calls=DOWN, found=STEPS_PASSED, **parts):
    with pytest.raises(CheckFailed) as failed:
        end_to_end.check_end_to_end(samples(STEEP, **parts), calls=calls, found=found)
    return failed.value


def test_only_mistakes_that_the_other_checks_allow_are_offered():
    a_root = {"sigma": lambda s, t: s.at(t).beta}
    named = {**STEPS_PASSED, "step.variance": "a missing root"}
    assert said(found=named, **a_root).measurements["mistake"] == "a missing root"
    assert "could be yours: a missing root" in said(found=named, **a_root).hint
    # the step checks passed, or found something else, or another one failed as well
    for found in (STEPS_PASSED, named | {"step.variance": ""}, named | {"step.mean": "a bracket too short"}):
        failed = said(found=found, **a_root)
        assert failed.measurements["mistake"] is None and "root" not in failed.hint
    assert "with no formula of its own" in said(**a_root).hint
    assert "failed checks of single steps" in said(found=named | {"step.variance": ""}, **a_root).hint
    # a mistake of the loop is one that the calls show
    left_out = {"steps": DOWN[:-1]}
    assert said(calls=DOWN[:-1], **left_out).measurements["mistake"] == "the last step left out"
    assert said(calls=DOWN, **left_out).measurements["mistake"] is None
    assert "with no formula of its own" in said(calls=DOWN, **left_out).hint
    # nothing known: everything is possible
    assert "the last step left out" in said(calls=None, found={}, **left_out).hint


def test_samples_moved_to_the_unit_interval_are_named():
    moved = (samples(STEEP) + 1) / 2
    with pytest.raises(CheckFailed) as failed:
        end_to_end.check_end_to_end(moved, calls=DOWN, found=STEPS_PASSED)
    assert failed.value.measurements["mistake"] == "samples moved to [0, 1]"
