"""The noise of steps: fresh for each pixel, channel, image and step, and none in the last."""

import math

import pytest
import torch

from grader.checks import fresh_noise, last_step
from grader.checks.finding import CheckFailed
from grader.checks.measure_step import inside_inputs, outside_inputs
from grader.checks.step_formulas import (
    RIGHT_MEANS,
    clipped_form,
    eps_form,
    posterior_weights,
    sigma_beta,
    sigma_beta_tilde,
    x0_estimate,
)
from tests.support.steps import SHIPPED, STEEP

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
    noise = fresh_noise.step_noise(x, eps, outs)
    if axis is None:
        fresh_noise.check_fresh_noise(noise)
    else:
        with pytest.raises(CheckFailed, match=f"between {axis}"):
            fresh_noise.check_fresh_noise(noise)


def test_fresh_noise_within_a_call_does_not_depend_on_the_mean():
    g = torch.Generator().manual_seed(1)
    x, eps = outside_inputs(SHAPE[1:], g)
    for shared, axis in (((8, 8, 3, 16, 16), None), ((8, 1, 3, 16, 16), "images of a batch")):
        z = torch.randn(shared, generator=g).expand(SHAPE)
        outs = (eps_form(STEEP, 10, x, eps) + 0.3 * z).clamp(-1, 1)  # a mean that is not linear
        noise = fresh_noise.call_noise(outs)
        if axis is None:
            fresh_noise.check_fresh_noise(noise, fresh_noise.WITHIN)
            with pytest.raises(CheckFailed, match="between calls"):  # why the test of level 4 then asks for the mean
                fresh_noise.check_fresh_noise(fresh_noise.step_noise(x, eps, outs))
        else:
            with pytest.raises(CheckFailed, match=f"between {axis}"):
                fresh_noise.check_fresh_noise(noise, fresh_noise.WITHIN)
    assert fresh_noise.call_noise(outs[:1].expand(SHAPE)) is None


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
    noise = fresh_noise.trace_noise(STEEP, torch.stack(xs), torch.stack(answers))
    if same:
        with pytest.raises(CheckFailed, match="between calls"):
            fresh_noise.check_fresh_noise(noise)
    else:
        fresh_noise.check_fresh_noise(noise)


@pytest.mark.parametrize("s", [SHIPPED, STEEP])
def test_last_step(s):
    g = torch.Generator().manual_seed(1)
    x, eps = outside_inputs((4, 3, 8, 8), g)
    for mean in RIGHT_MEANS.values():
        out = mean(s, 0, x, eps)
        last_step.check_last_step(s, x, eps, out, out + 1e-10 * torch.randn(x.shape, generator=g))
    noisy = [eps_form(s, 0, x, eps) + sigma_beta(s, 0) * torch.randn(x.shape, generator=g) for _ in range(2)]
    with pytest.raises(CheckFailed, match="twice the same"):
        last_step.check_last_step(s, x, eps, *noisy)
    with pytest.raises(CheckFailed, match="the mean without noise") as failed:
        last_step.check_last_step(s, x, eps, x, x)
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
            last_step.check_last_step(s, x, eps, *noisy, beta_tilde=True)
        assert "alpha_bar_prev at t = 0 is 1" in failed.value.hint
        c1, c2 = posterior_weights(h)
        out = (c1 * x0_estimate(h, x.double(), eps.double()).clamp(-1, 1) + c2 * x).float()
        with pytest.raises(CheckFailed, match="the mean without noise") as failed:
            last_step.check_last_step(s, x, eps, out, out)
        assert "alpha_bar_prev at t = 0 is 1" in failed.value.hint
    # beta and no mask is another fault, and so is the clipped log-variance without one
    for sigma, beta_tilde in ((sigma_beta(s, 0), False), (sigma_beta_tilde(s, 1), True)):
        with pytest.raises(CheckFailed) as failed:
            last_step.check_last_step(s, x, eps, *(eps_form(s, 0, x, eps) + sigma * z), beta_tilde=beta_tilde)
        assert "(t > 0).view(-1, 1, 1, 1)" in failed.value.hint


def test_a_mean_that_is_wrong_everywhere_is_not_the_last_steps_fault():
    x, eps = inside_inputs(STEEP, 0, (8, 3, 16, 16), torch.Generator().manual_seed(1))
    with pytest.raises(CheckFailed):
        last_step.check_last_step(STEEP, x, eps, 0.9 * x, 0.9 * x)
    assert last_step.check_last_step(STEEP, x, eps, 0.9 * x, 0.9 * x, mean_is_right=False)["off"] > 0.05
