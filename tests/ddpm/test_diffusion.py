"""The schedule against its closed form, q_sample against its moments, the loss and the embedding against their own."""

import math

import pytest
import torch

from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


@pytest.fixture(scope="module")
def diffusion() -> GaussianDiffusion:
    return GaussianDiffusion()


def exact_schedule(T: int = 1000, start: float = 1e-4, end: float = 0.02) -> tuple[list[float], list[float]]:
    """beta and alpha_bar in Python floats, alpha_bar as the exponential of a sum of logarithms."""
    betas = [start + (end - start) * t / (T - 1) for t in range(T)]
    return betas, [math.exp(math.fsum(math.log1p(-b) for b in betas[: t + 1])) for t in range(T)]


def test_schedule_is_the_closed_form_to_the_last_bit_of_float32(diffusion):
    betas, alpha_bar = exact_schedule()
    tilde = [
        b * (1 - before) / (1 - now) for b, before, now in zip(betas, [1, *alpha_bar[:-1]], alpha_bar, strict=True)
    ]
    expected = {
        "betas": betas,
        "alphas": [1 - b for b in betas],
        "alpha_bar": alpha_bar,
        "sqrt_alpha_bar": [a**0.5 for a in alpha_bar],
        "sqrt_one_minus_alpha_bar": [(1 - a) ** 0.5 for a in alpha_bar],
        "sqrt_recip_alpha": [(1 - b) ** -0.5 for b in betas],
        "posterior_variance": tilde,
    }
    for name, values in expected.items():
        offered = getattr(diffusion, name)
        assert offered.dtype == torch.float32 and offered.shape == (1000,), name
        # one unit in the last place of float32; computed in float32, sqrt(1 - alpha_bar) is off by hundreds
        torch.testing.assert_close(offered, torch.tensor(values, dtype=torch.float64).float(), rtol=1.2e-7, atol=0)


def test_the_ends_of_the_schedule(diffusion):
    assert diffusion.betas[0] == pytest.approx(1e-4) and diffusion.betas[-1] == pytest.approx(0.02)
    assert diffusion.posterior_variance[0] == 0  # the last reverse step adds no noise
    assert diffusion.alpha_bar[0] == pytest.approx(1 - 1e-4)  # t = 0 is a noisy step, not the clean image
    assert diffusion.alpha_bar[-1] == pytest.approx(4.04e-5, rel=0.01)  # x_T is almost pure noise
    assert GaussianDiffusion(1, 0.3, 0.3).alpha_bar.tolist() == pytest.approx([0.7])


def test_extract_gives_each_sample_its_own_entry(diffusion):
    t = torch.tensor([0, 999, 7])
    picked = diffusion.extract(diffusion.betas, t, (3, 1, 8, 8))
    assert picked.shape == (3, 1, 1, 1)
    assert torch.equal(picked.flatten(), diffusion.betas[t])


@pytest.mark.parametrize("step", [0, 1, 100, 500, 999])
def test_q_sample_has_the_moments_of_the_closed_form(diffusion, step):
    n = 200_000
    noise = torch.randn(n, 1, 1, 1, generator=torch.Generator().manual_seed(step))
    x_t = diffusion.q_sample(torch.full((n, 1, 1, 1), 0.6), torch.full((n,), step), noise)
    alpha_bar = exact_schedule()[1][step]
    mean, std = 0.6 * alpha_bar**0.5, (1 - alpha_bar) ** 0.5
    # 5 standard errors; the seed is fixed, so this always passes or always fails
    assert x_t.mean().item() == pytest.approx(mean, abs=5 * std / n**0.5)
    assert x_t.std().item() == pytest.approx(std, rel=5 / (2 * n) ** 0.5)


def test_training_loss_of_known_networks(diffusion):
    x_0 = torch.zeros(4000, 1, 4, 4)
    zero = diffusion.training_loss(lambda x, t: torch.zeros_like(x), x_0)
    assert zero.item() == pytest.approx(1, abs=0.03)  # the mean square of noise: 64,000 values, 5 standard errors
    # of black images x_t is scaled noise, so this network is right at every t
    oracle = diffusion.training_loss(lambda x, t: x / diffusion.sqrt_one_minus_alpha_bar[t].view(-1, 1, 1, 1), x_0)
    assert oracle.item() < 1e-10


def test_training_loss_draws_t_from_all_of_the_range():
    seen = []
    diffusion = GaussianDiffusion(50)
    diffusion.training_loss(lambda x, t: seen.append(t) or torch.zeros_like(x), torch.zeros(5000, 1, 1, 1))
    assert seen[0].dtype == torch.long and seen[0].shape == (5000,)
    assert set(seen[0].tolist()) == set(range(50))


@pytest.mark.parametrize("dim", [2, 4, 6, 10, 64, 128, 254])
def test_embedding_agrees_with_diffusers_for_every_even_dim(dim):
    from diffusers.models.embeddings import get_timestep_embedding

    t = torch.tensor([0, 1, 17, 500, 999])
    expected = get_timestep_embedding(t, dim, flip_sin_to_cos=False, downscale_freq_shift=0)
    # angles reach 999 radians, where a float32 is exact to 3e-5
    torch.testing.assert_close(SinusoidalTimestepEmbedding(dim)(t), expected, rtol=0, atol=1e-4)


def test_embedding_tells_all_steps_apart():
    vectors = SinusoidalTimestepEmbedding(32)(torch.arange(1000))
    distances = torch.cdist(vectors, vectors) + 10 * torch.eye(1000)
    assert distances.min() > 0.1


@pytest.mark.parametrize("dim", [0, -2, 1, 3, 127])
def test_embedding_refuses_other_dims(dim):
    with pytest.raises(ValueError, match=f"even and at least 2, got {dim}"):
        SinusoidalTimestepEmbedding(dim)
