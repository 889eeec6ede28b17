"""Images that nobody has: other ones each time, near the data set's, and far enough for no store to do."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from assignment.ddpm.data import to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.checks.beats_reference import check_new_images, compare
from grader.checks.finding import CheckFailed
from grader.metrics.linear_denoiser import LinearDenoiser
from grader.metrics.new_images import new_images
from grader.metrics.randomness import randomness
from grader.metrics.triples import draw_triples, losses, widths

DIFFUSION = GaussianDiffusion()


def luck(*purpose: int | str):
    return randomness(b"a secret of the course", *purpose)


def distances(some: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """(N, M): mean absolute difference, in steps of 256."""
    return torch.cdist(some.flatten(1).double(), others.flatten(1).double(), p=1) / some[0].numel()


def test_they_are_images_like_those_they_come_from_and_the_secret_decides(digits):
    images = digits.validation
    found = new_images(images, luck(1))
    assert (found.shape, found.dtype) == (images.shape, torch.uint8)
    assert torch.equal(found, new_images(images, luck(1)))
    assert not torch.equal(found, new_images(images, luck(2)))
    apart = distances(found, images)
    assert (apart.argmin(1) == torch.arange(len(images))).double().mean() > 0.6  # mostly the same digit still
    assert apart.min(1).values.median() > 3  # and none that anybody has
    assert found.double().mean().item() == pytest.approx(images.double().mean().item(), rel=0.05)


def test_a_flat_image_stays_and_a_move_is_a_pixel_at_most():
    flat = torch.full((40, 3, 28, 28), 200, dtype=torch.uint8)
    assert torch.equal(new_images(flat, luck()), flat)
    cross = torch.zeros(200, 1, 29, 29, dtype=torch.uint8)
    cross[:, :, 14, 14] = 255
    found = new_images(cross, luck())
    assert not found[:, :, :12].any() and not found[..., 17:].any()


def of_a_store(images: torch.Tensor):
    """Answers with the stored image nearest to x_t, exactly, as far as there is one."""
    stored = to_float(images)

    def predict(x, t):
        a = DIFFUSION.alpha_bar[t].float().view(-1, 1, 1, 1)
        apart = torch.stack([((one - s.sqrt() * stored) ** 2).flatten(1).sum(1) for one, s in zip(x, a, strict=True)])
        return (x - a.sqrt() * stored[apart.argmin(1)]) / (1 - a).sqrt()

    return predict


def test_who_looks_the_images_up_is_far_behind_on_new_ones_and_who_denoises_is_not(digits):
    """A store of all validation images beats any reference on them; the linear denoiser is itself on both."""
    linear = LinearDenoiser(digits.train, DIFFUSION)
    usual = draw_triples(digits.validation, DIFFUSION.num_timesteps, 0, part="validation").first(1024)
    new = usual.of(new_images(usual.images, luck()))

    def standing(predict, triples):
        found = (losses(of, DIFFUSION, triples, batch_size=128) for of in (predict, linear))
        return compare(*found, triples.bins, widths(), triples.index)

    store = of_a_store(digits.validation)
    assert standing(store, usual).relative < -0.5
    with pytest.raises(CheckFailed, match="turned and moved a little") as failed:
        check_new_images(standing(store, usual), standing(store, new))
    assert failed.value.measurements["on_new_images"] > 1
    small_lead = replace(standing(store, usual), relative=-0.05)
    for beside, stands in ((-0.02, True), (0.03, True), (0.06, False)):  # beside the reference on new images
        new_ones = replace(small_lead, relative=beside, error_by_image=0.0)
        with nullcontext() if stands else pytest.raises(CheckFailed):
            check_new_images(small_lead, new_ones)
    with pytest.raises(CheckFailed):  # of two thirds of a lead, more has to show
        check_new_images(replace(small_lead, relative=-0.67), replace(small_lead, relative=0.02, error_by_image=0.004))

    def slightly_worse(x, t):
        return 1.02 * linear(x, t)

    check_new_images(standing(slightly_worse, usual), standing(slightly_worse, new))
