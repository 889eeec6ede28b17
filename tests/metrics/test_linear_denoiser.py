"""The yardstick of `samples.denoises`: the best denoiser that is linear in x_t."""

import pytest
import torch

from assignment.ddpm.data import to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.metrics.linear_denoiser import LinearDenoiser


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Neighbouring pixels are alike: (20000, 1, 4, 4) uint8."""
    g = torch.Generator().manual_seed(0)
    rough = torch.randn(20_000, 1, 6, 6, generator=g)
    return (torch.nn.functional.avg_pool2d(rough, 3, 1) * 120 + 140).clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("step", [0, 100, 500, 999])
def test_it_is_the_regression_of_the_noise_on_x_t(images, step):
    """Least squares over a million pairs find no better linear map, and the same one."""
    diffusion, g = GaussianDiffusion(), torch.Generator().manual_seed(step)
    t = torch.full((len(images),), step)
    noise = torch.randn(images.shape, generator=g)
    x_t = diffusion.q_sample(to_float(images), t, noise)
    found = LinearDenoiser(images, diffusion)(x_t, t)
    with_constant = torch.cat([x_t.flatten(1), torch.ones(len(x_t), 1)], 1).double()
    fitted = with_constant @ torch.linalg.lstsq(with_constant, noise.flatten(1).double()).solution
    losses = [(y.double() - noise.flatten(1)).square().mean().item() for y in (found.flatten(1), fitted)]
    assert losses[0] == pytest.approx(losses[1], rel=5e-3)


def test_each_row_is_treated_by_its_own_t(images):
    linear, t = LinearDenoiser(images, GaussianDiffusion()), torch.tensor([0, 400, 999])
    x = torch.randn(3, 1, 4, 4)
    torch.testing.assert_close(linear(x, t), torch.cat([linear(x[i : i + 1], t[i : i + 1]) for i in range(3)]))
