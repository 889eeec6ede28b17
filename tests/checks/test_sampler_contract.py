"""What a sampler returns, leaves alone and draws anew."""

from types import SimpleNamespace

import pytest
import torch

from assignment.ddpm.diffusion import GaussianDiffusion
from grader.checks import sampler_contract
from grader.checks.finding import CheckFailed
from grader.worker import sampler_probes


def noise(seed, *shape):
    return torch.randn(*(shape or (4, 1, 8, 8)), generator=torch.Generator().manual_seed(seed))


def test_range():
    sampler_contract.check_range(torch.linspace(-1, 1, 9))
    for low, high in ((-1.1, 1), (-1, 1.1), (0, 1), (-1, 0), (-0.4, 0.4)):
        with pytest.raises(CheckFailed):
            sampler_contract.check_range(torch.tensor([low, high]))


def test_changed_inputs():
    before = {"x_t": noise(1), "t": torch.arange(4)}
    assert sampler_contract.changed_inputs(before, {k: v.clone() for k, v in before.items()}) == []
    assert sampler_contract.changed_inputs(before, {"x_t": -before["x_t"], "t": before["t"].float()}) == ["x_t", "t"]
    assert sampler_contract.changed_inputs(before, {}) == ["x_t", "t"]


def test_left_alone():
    sampler_contract.check_left_alone({"sample": [], "p_sample": []})
    with pytest.raises(
        CheckFailed, match=r"expected p_sample to change nothing but its own result, got a changed x_t, t"
    ):
        sampler_contract.check_left_alone({"sample": [], "p_sample": ["x_t", "t"]})


def test_reproducible():
    assert sampler_contract.check_reproducible(noise(1), noise(1))["difference"] == 0
    for other in (noise(2), noise(1, 3, 1, 8, 8)):
        with pytest.raises(CheckFailed):
            sampler_contract.check_reproducible(noise(1), other)


@pytest.mark.parametrize("seed", range(20))
def test_another_seed_starts_from_other_noise(seed):
    first, other, following = (SimpleNamespace(x=[noise(100 * seed + k), noise(100 * seed + k + 9)]) for k in range(3))
    sampler_contract.check_not_repeated(other, following, first)
    for again in (first.x[0], -first.x[0], 0.7 * first.x[0] + noise(7)):
        with pytest.raises(CheckFailed, match="the same x_T, or one that goes with it"):
            sampler_contract.check_not_repeated(SimpleNamespace(x=[again, other.x[1]]), following, first)
    with pytest.raises(CheckFailed, match="other images with a second call"):
        sampler_contract.check_not_repeated(other, SimpleNamespace(x=[following.x[0], other.x[1]]), first)


CHANGES = {
    "betas": lambda d: d.betas.mul_(2),
    "posterior_variance": lambda d: d.posterior_variance.sqrt_(),
    "alphas": lambda d: setattr(d, "alphas", d.alphas.double()),
    "alpha_bar": lambda d: setattr(d, "alpha_bar", None),
    "num_timesteps": lambda d: setattr(d, "num_timesteps", 3),
}


@pytest.mark.parametrize(("name", "change"), CHANGES.items(), ids=CHANGES)
def test_whatever_of_the_schedule_changes_is_named(name, change):
    diffusion, model = GaussianDiffusion(5), sampler_probes.AskedModel(lambda facts, tensors: tensors["x"])
    assert sampler_probes._watched(diffusion, model, lambda: diffusion.betas.sqrt()) == (
        pytest.approx(diffusion.betas**0.5),
        [],
    )
    assert sampler_probes._watched(diffusion, model, lambda: change(diffusion))[1] == [f"diffusion.{name}"]
