"""Level 2: what remembers the images that it was asked about is asked again, in a process that has seen none."""

from types import SimpleNamespace

import pytest
import torch

from assignment.ddpm.diffusion import GaussianDiffusion
from grader.checks.beats_reference import check_same_loss
from grader.checks.finding import CheckFailed
from grader.metrics.triples import draw_triples
from grader.student.trained_losses import AGAIN, NEW, TrainedLosses

TRIPLES = draw_triples(torch.randint(256, (300, 1, 4, 4), dtype=torch.uint8), 1000, 0, part="validation").first(1024)


class Network:
    """Predicts zero in the first calls that it gets, and x from then on, which is better where x is mostly noise."""

    def __init__(self, learns_after: int) -> None:
        self.calls, self.learns_after = 0, learns_after

    def __call__(self, x, t):
        self.calls += 1
        return x if self.calls > self.learns_after else torch.zeros_like(x)


class Losses(TrainedLosses):
    opponent = SimpleNamespace(
        looks=1,
        triples=lambda part, look: TRIPLES,
        losses=lambda part, look, triples: torch.ones(len(triples.t)).double(),
    )


def asked_again(learns_after: int) -> tuple[torch.Tensor, torch.Tensor]:
    trained = SimpleNamespace(
        network=lambda: Network(learns_after), submission=SimpleNamespace(stop=lambda: None), kind="cpu",
        diffusion=GaussianDiffusion(), chosen_seed=SimpleNamespace(shared=b"a secret of the course"), seed=1,
    )  # fmt: skip
    return Losses(trained).asked_again


def test_an_honest_network_gets_the_same_loss_again():
    before, again = asked_again(learns_after=0)
    assert len(before) == AGAIN and torch.equal(before, again)
    assert check_same_loss(before, again) == {"asked_again": 0.0}


def test_no_loss_at_all_is_the_same_again_and_less_than_any_other():
    none = torch.zeros(8)
    assert check_same_loss(none, none) == {"asked_again": 0.0}
    with pytest.raises(CheckFailed, match="from a fresh process"):
        check_same_loss(none, none + 0.1)


def test_one_that_remembers_does_not():
    with pytest.raises(CheckFailed, match=r"expected the same loss from a fresh process that is asked again, got one "):
        check_same_loss(*asked_again(learns_after=4))


def test_new_images_have_noise_that_nobody_could_take_from_the_plain_ones():
    key, asked = b"a secret of the course", []

    def triples(part: str, look: int):
        return draw_triples(TRIPLES.images[:300], 1000, look, part=part, key=key)

    def measured(some, what):
        asked.append(some)
        return torch.ones(len(some.t)).double()

    trained = SimpleNamespace(network=lambda: Network(0), kind="cpu", diffusion=GaussianDiffusion())
    losses = TrainedLosses(trained)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainedLosses, "opponent", SimpleNamespace(key=key, triples=triples, measured=measured))
        assert losses.on_new_images.triples == NEW
    (new,) = asked
    plain = torch.cat([triples("validation", look).noise for look in range(3)])
    assert not torch.isclose(new.noise[:8, None].flatten(2), plain[None].flatten(2)).all(2).any()
    assert not (new.images[:, None] == TRIPLES.images[None, :300]).flatten(2).all(2).any()
