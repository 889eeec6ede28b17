"""The reference sampler in a world where the perfect network is known: images are Gaussian pixels.

If x_0 ~ N(m, s²), then E[eps | x_t] is linear in x_t, every reverse step is linear, too, and so the mean and variance
of the samples follow from a recursion of two numbers.
"""

import pytest
import torch

from assignment.ddpm.diffusion import GaussianDiffusion
from reference.sampler import DDPMSampler

MEAN, STD = 0.1, 0.15  # narrow, so that the final clamp to [-1, 1] is over 5 sigma away
N = 1 << 18


class GaussianOracle(torch.nn.Module):
    """The perfect network for pixels from N(MEAN, STD²)."""

    def __init__(self, diffusion: GaussianDiffusion) -> None:
        super().__init__()
        self.alpha_bar = diffusion.alpha_bar

    def slope(self, alpha_bar: torch.Tensor) -> torch.Tensor:
        return (1 - alpha_bar).sqrt() / (alpha_bar * STD**2 + 1 - alpha_bar)

    def forward(self, x, t):
        alpha_bar = self.alpha_bar[t].view(-1, 1, 1, 1)
        return self.slope(alpha_bar) * (x - alpha_bar.sqrt() * MEAN)


def expected_moments(T: int, start: float, end: float) -> tuple[float, float]:
    """Mean and standard deviation of x_0 from Algorithm 2 with variance beta-tilde, step by step."""
    beta = torch.linspace(start, end, T, dtype=torch.float64)
    alpha_bar = (1 - beta).cumprod(0)
    mean, variance = 0.0, 1.0
    for t in reversed(range(T)):
        a_bar, a_bar_prev = alpha_bar[t].item(), alpha_bar[t - 1].item() if t else 1.0
        slope = (1 - a_bar) ** 0.5 / (a_bar * STD**2 + 1 - a_bar)
        weight = beta[t].item() / (1 - a_bar) ** 0.5
        gain = (1 - weight * slope) / (1 - beta[t].item()) ** 0.5
        mean = gain * mean + weight * slope * a_bar**0.5 * MEAN / (1 - beta[t].item()) ** 0.5
        variance = gain**2 * variance + beta[t].item() * (1 - a_bar_prev) / (1 - a_bar)
    return mean, variance**0.5


def measured_moments(sampler_class: type, schedule: tuple) -> tuple[float, float]:
    diffusion = GaussianDiffusion(*schedule)
    torch.manual_seed(0)
    x = sampler_class(diffusion, "cpu").sample(GaussianOracle(diffusion), (N // 64, 1, 8, 8))
    return x.mean().item(), x.std().item()


def agrees(measured: tuple[float, float], expected: tuple[float, float]) -> bool:
    """Within 5 standard errors of N pixels; with a fixed seed it always passes or always fails."""
    (mean, std), (true_mean, true_std) = measured, expected
    return abs(mean - true_mean) < 5 * true_std / N**0.5 and abs(std / true_std - 1) < 5 / (2 * N) ** 0.5


STEEP = (20, 0.01, 0.4)  # few and large steps, where wrong formulas show


def test_end_to_end_on_a_steep_schedule():
    assert agrees(measured_moments(DDPMSampler, STEEP), expected_moments(*STEEP))


def test_end_to_end_on_the_shipped_schedule_returns_the_data():
    mean, std = expected_moments(1000, 1e-4, 0.02)
    assert mean == pytest.approx(MEAN, rel=0.01) and std == pytest.approx(STD, rel=0.05)
    assert agrees(measured_moments(DDPMSampler, (1000, 1e-4, 0.02)), (mean, std))


class NoRoot(DDPMSampler):
    def p_sample(self, model, x_t, t):
        clean = DDPMSampler.p_sample(_Without(self.diffusion), model, x_t, t)
        return clean + self.diffusion.extract(self.diffusion.posterior_variance, t, x_t.shape) * torch.randn_like(x_t)


class SkipsTheLastStep(DDPMSampler):
    def p_sample(self, model, x_t, t):
        return x_t if t[0] == 0 else super().p_sample(model, x_t, t)


class SeesTheNextStep(DDPMSampler):
    def p_sample(self, model, x_t, t):
        return super().p_sample(lambda x, t: model(x, (t + 1).clamp(max=self.diffusion.num_timesteps - 1)), x_t, t)


class _Without(DDPMSampler):
    """The same mean without noise."""

    def __init__(self, diffusion):
        quiet = GaussianDiffusion(*STEEP)
        quiet.posterior_variance = torch.zeros_like(diffusion.posterior_variance)
        super().__init__(quiet, "cpu")


@pytest.mark.parametrize("wrong", [NoRoot, SkipsTheLastStep, SeesTheNextStep])
def test_the_oracle_sees_a_wrong_sampler(wrong):
    assert not agrees(measured_moments(wrong, STEEP), expected_moments(*STEEP))


def test_one_step_is_algorithm_2():
    diffusion = GaussianDiffusion()
    x_t, eps = torch.randn(4, 3, 5, 7), torch.randn(4, 3, 5, 7)
    t = torch.tensor([0, 1, 500, 999])
    torch.manual_seed(1)
    stepped = DDPMSampler(diffusion, "cpu").p_sample(lambda x, t: eps, x_t, t)
    torch.manual_seed(1)
    z = torch.randn_like(x_t)
    for i, step in enumerate(t.tolist()):
        beta, a_bar = diffusion.betas[step].double(), diffusion.alpha_bar[step].double()
        a_bar_prev = diffusion.alpha_bar[step - 1].double() if step else torch.tensor(1.0)
        mean = (x_t[i] - beta / (1 - a_bar).sqrt() * eps[i]) / (1 - beta).sqrt()
        expected = mean + (beta * (1 - a_bar_prev) / (1 - a_bar)).sqrt() * z[i]
        torch.testing.assert_close(stepped[i], expected.float(), rtol=1e-4, atol=1e-5)


def test_a_trace_of_sampling():
    calls = []

    class Recorder(torch.nn.Module):
        def forward(self, x, t):
            calls.append((t.tolist(), t.dtype, self.training, torch.is_grad_enabled()))
            return torch.full_like(x, -30.0)  # drives x far out of range

    x = DDPMSampler(GaussianDiffusion(20), "cpu").sample(Recorder(), (2, 3, 4, 6))
    assert calls == [([step] * 2, torch.long, False, False) for step in reversed(range(20))]
    assert x.shape == (2, 3, 4, 6) and x.dtype == torch.float32 and x.max() == 1
