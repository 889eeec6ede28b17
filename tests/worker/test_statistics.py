"""Buffers are torch.nn's own only where a forward pass moves them as its layers do."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.spectral_norm import spectral_norm as old_spectral_norm

from grader.worker.statistics import kept_by_torch

BATCH_NORM = {"norm.running_mean", "norm.running_var", "norm.num_batches_tracked"}


class Network(nn.Module):
    def __init__(self, norm: nn.Module, *, times: int = 1) -> None:
        super().__init__()
        self.norm, self.times = norm, times
        self.register_buffer("own", torch.zeros(1))

    def forward(self, x, t):
        self.own += 1
        for _ in range(self.times):
            x = self.norm(x)
        return x


def kept(network: nn.Module, runs: int = 3) -> set[str]:
    torch.manual_seed(0)
    for _ in range(runs):
        found = set(kept_by_torch(network.train(), 3 + 2 * torch.randn(4, 3, 6, 6), torch.zeros(4)))
    assert found <= set(network.state_dict())
    return found


@pytest.mark.parametrize(
    "network",
    [
        Network(nn.BatchNorm2d(3)), Network(nn.BatchNorm2d(3), times=3), Network(nn.BatchNorm2d(3, momentum=None)),
        Network(nn.BatchNorm2d(3, affine=False, momentum=0.9)), Network(nn.InstanceNorm2d(3, track_running_stats=True)),
    ],
)  # fmt: skip
def test_running_statistics(network):
    assert kept(network) == BATCH_NORM


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("iterations", [1, 2])
def test_vectors_of_spectral_norms(iterations, times):
    conv = parametrizations.spectral_norm(nn.Conv2d(3, 3, 3, padding=1), n_power_iterations=iterations)
    prefix = "norm.parametrizations.weight.0."
    assert kept(Network(conv, times=times)) == {prefix + "_u", prefix + "_v"}
    conv = old_spectral_norm(nn.Conv2d(3, 3, 3, padding=1), n_power_iterations=iterations)
    assert kept(Network(conv, times=times)) == {"norm.weight_u", "norm.weight_v"}


class Writes(Network):
    """Keeps something else where the layer has its statistics."""

    def forward(self, x, t):
        y = super().forward(x, t)
        for name, buffer in self.norm.named_buffers():
            if name.endswith(("running_mean", "_u")):
                buffer.copy_(x.flatten()[: buffer.numel()].view(buffer.shape))
        return y


class Unused(Network):
    def forward(self, x, t):
        self.norm.running_mean.copy_(x.mean((0, 2, 3)))
        return x


class OfItsOwn(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x)


@pytest.mark.parametrize(
    "network",
    [
        Writes(nn.BatchNorm2d(3)), Unused(nn.BatchNorm2d(3)), Network(OfItsOwn(3)), Network(nn.Conv2d(3, 3, 1)),
        Writes(parametrizations.spectral_norm(nn.Conv2d(3, 3, 3, padding=1))),
        Network(nn.InstanceNorm2d(3)), Network(nn.BatchNorm2d(3, track_running_stats=False)),
    ],
)  # fmt: skip
def test_what_else_is_written_is_not(network):
    assert kept(network) == set()
