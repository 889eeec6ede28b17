"""What moved pixels show about channels and layouts: each check can pass, and each can fail."""

import math

import pytest
import torch
from torch import Tensor

from grader.checks.channels import Effects, check_channels, check_neighbours
from grader.checks.finding import CheckFailed
from grader.student.moved_pixels import moves

SIZE = 16
MOVES = moves(3, SIZE, torch.Generator().manual_seed(0))
KERNEL = torch.randn(3, 3, 3, 3, generator=torch.Generator().manual_seed(1))


def conv(x: Tensor) -> Tensor:
    return torch.nn.functional.conv2d(x, KERNEL, padding=1)


def effects(network) -> Effects:
    """Of a linear network on (N, 3, SIZE, SIZE)."""
    x = torch.zeros(len(MOVES), 3, SIZE, SIZE)
    for i, move in enumerate(MOVES):
        x[i][move.at] = 1
    field = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    return Effects(MOVES, network(x), network(torch.eye(3)[:, :, None, None] * field))


def flat(x: Tensor) -> Tensor:
    weight = torch.randn(3 * SIZE**2, 3 * SIZE**2, generator=torch.Generator().manual_seed(3))
    return (x.flatten(1) @ weight).view(x.shape)


def patches(x: Tensor) -> Tensor:
    weight = torch.randn(48, 48, generator=torch.Generator().manual_seed(4))
    tokens = torch.nn.functional.pixel_unshuffle(x, 4).permute(0, 2, 3, 1) @ weight
    return torch.nn.functional.pixel_shuffle(tokens.permute(0, 3, 1, 2), 4)


def each_alone(x: Tensor) -> Tensor:
    return torch.nn.functional.conv2d(x, KERNEL[:, :1], padding=1, groups=3)


def one_row(x: Tensor) -> Tensor:
    return torch.nn.functional.conv1d(x.flatten(2), KERNEL.flatten(2)[..., :5], padding=2).view(x.shape)


def circular(x: Tensor) -> Tensor:
    return torch.nn.functional.conv2d(torch.nn.functional.pad(x, [1] * 4, mode="circular"), KERNEL)


def memory(x: Tensor) -> Tensor:
    h = conv(x.reshape(len(x), -1, 3).mT.reshape(x.shape))
    return h.flatten(2).mT.reshape(x.shape)


@pytest.mark.parametrize("network", [conv, flat, patches, each_alone, one_row, circular])
def test_right_architectures(network):
    found = effects(network)
    assert check_channels(found)["own_pixel"] > 0.05
    assert check_neighbours(found)["times_as_much"] < 3


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (lambda x: conv(x)[:, :1].expand_as(x), "2? ?output channels that count"),
        (lambda x: conv(x[:, :1].expand_as(x)), "channel 1 to change"),
        (lambda x: torch.cat([conv(x)[:, :1], x[:, 1:]], dim=1), "channel 1 to follow"),
        (lambda x: conv(x.mean(1, keepdim=True).expand_as(x)), "input channels"),
        (lambda x: conv(x).roll(1, 1) * 0 + x.roll(1, 1), "channel 0 to change"),
        (lambda x: conv(x).mT, "channel 0 to change"),
        (lambda x: conv(x).flatten(2).mT.reshape(x.shape), "channel . to change"),
        (lambda x: 0 * x, "channel 0 to change"),
        (lambda x: x / 0, "channel 0 to change"),
    ],
)
def test_wrong_channels(network, says):
    with pytest.raises(CheckFailed, match=says):
        check_channels(effects(network))


@pytest.mark.parametrize("network", [memory, lambda x: conv(x.reshape(len(x), SIZE, 3, SIZE).transpose(1, 2))
                                     .transpose(1, 2).reshape(x.shape)])  # fmt: skip
def test_wrong_layouts(network):
    with pytest.raises(CheckFailed, match="side by side in memory"):
        check_neighbours(effects(network))


def test_what_is_no_number_does_not_pass():
    found = effects(conv)
    with pytest.raises(CheckFailed):
        check_neighbours(Effects(MOVES, found.of_moves * math.nan, found.of_channels))
    with pytest.raises(CheckFailed):
        check_channels(Effects(MOVES, found.of_moves, found.of_channels * math.nan))
