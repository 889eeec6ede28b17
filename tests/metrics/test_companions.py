"""Held-out images among samples: the sampler sees its own rows alone, and what was asked is kept as it was."""

import torch

from assignment.ddpm.data import to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.metrics.companions import FEWEST, MOST, Companions
from grader.metrics.randomness import Public

DIFFUSION = GaussianDiffusion()
IMAGES = (5 * torch.arange(50, dtype=torch.uint8)).view(50, 1, 1, 1).expand(-1, 1, 4, 4)  # flat: they stay as they are


def test_the_samplers_rows_come_back_in_order_and_the_others_are_kept():
    batches = []

    def predict(x, t):
        batches.append((x, t))
        return 2 * x

    companions = Companions(predict, DIFFUSION, IMAGES, Public(1))
    for step in (999, 500, 3):
        x = torch.randn(16, 1, 4, 4)
        torch.testing.assert_close(companions(x, torch.full((16,), step)), 2 * x)
    assert [set(t.tolist()) for _, t in batches] == [{999}, {500}, {3}]
    assert all(FEWEST <= len(x) - 16 <= MOST for x, _ in batches)

    held_out, samples = companions.held_out, companions.samples
    assert len(held_out.t) == len(samples.t) == len(companions.noise) == sum(len(x) - 16 for x, _ in batches)
    torch.testing.assert_close(held_out.y, 2 * held_out.x_t)
    torch.testing.assert_close(samples.y, 2 * samples.x_t)
    a = DIFFUSION.alpha_bar[held_out.t].view(-1, 1, 1, 1)
    images = (held_out.x_t - (1 - a).sqrt() * companions.noise) / a.sqrt()
    at_3 = held_out.t == 3
    distances = (images[at_3].flatten(1)[:, None] - to_float(IMAGES).flatten(1)).abs().amax(2)  # no cdist: it rounds
    assert (distances.amin(1) < 1e-4).all()


def test_they_stand_at_random_places():
    places = []

    def predict(x, t):
        places.extend((x == x.amax()).flatten(1).any(1).nonzero().flatten().tolist())
        return x

    companions = Companions(predict, DIFFUSION, torch.full((1, 1, 4, 4), 255, dtype=torch.uint8), Public(2))
    for _ in range(200):  # at t = 0 they are all white, and the samples all black
        companions(torch.full((8, 1, 4, 4), -1.0), torch.zeros(8, dtype=torch.long))
    assert len(set(places)) > 8
