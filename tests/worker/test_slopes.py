"""Slopes along random directions: autograd's are those that are found, and the network is left as it was."""

import pytest
import torch
from torch import nn

from grader.checks.gradients import Slopes
from grader.worker.network_probes import backward
from grader.worker.slopes import DIRECTIONS, IMAGES, measure
from tests.support.networks import Dropout, Spectral

X, COTANGENT = (torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(i)) for i in (0, 1))
T = torch.tensor([3, 700])


class Config:
    image_channels = 1


class Cut(Dropout):
    def forward(self, x, t):
        h = self.body(self.first(x) + self.time(t)[:, :, None, None]).detach()
        return self.last(h) + 1e-12 * (x + sum(p.sum() for p in self.parameters()))


class CutSpectrum(Spectral):
    def forward(self, x, t):
        whole = super().forward(x, t)
        return whole.detach() + 1e-12 * (x + sum(p.abs().sum() for p in self.parameters()))


class Counts(Dropout):
    calls = 0

    def forward(self, x, t):
        self.calls += 1
        return super().forward(x, t) + 0.01 * self.calls


def slopes(network: nn.Module, step: float = 5e-4) -> Slopes:
    x = X.clone().requires_grad_()
    reported, repeats, forth, back = measure(network, x, T, lambda y: backward(y, COTANGENT.to(y)), seed=1, step=step)
    assert len(reported) == len(forth) == len(back) == DIRECTIONS
    found = ((forth - back) * COTANGENT).flatten(1).sum(1) / (2 * step)
    return Slopes(torch.tensor(reported, dtype=torch.float64), found, of_x=IMAGES, repeats=repeats)


def built(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(2)
    return kind(Config()).train()


def test_of_a_right_network_with_dropout_and_batch_norm():
    found = slopes(built(Dropout))
    assert found.repeats and found.agree() and max(found.off()) < 0.1


def test_of_one_with_complex_weights():
    found = slopes(built(Spectral))
    assert found.repeats and found.agree() and max(found.off()) < 0.1
    assert not slopes(built(CutSpectrum)).agree()


def test_of_one_that_is_cut_off():
    network = built(Cut)
    found = slopes(network)
    assert not found.agree() and found.off()[0] == pytest.approx(1) and found.disprove(slopes(network, 1e-3))


def test_of_one_that_does_not_repeat_itself():
    assert not slopes(built(Counts)).repeats


def test_the_network_is_left_as_it_was():
    network = built(Dropout)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    slopes(network)
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
