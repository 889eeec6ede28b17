"""A deep U-Net in the style of 2015: BatchNorm and ReLU after each convolution, max pooling, learnt upsampling."""

from itertools import pairwise

import torch
from torch import nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


def conv_bn(c_in: int, c_out: int) -> nn.Sequential:
    # no bias: batch norm has one
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


class Stage(nn.Module):
    """Several convolutions at one resolution; the time is added after the first."""

    def __init__(self, c_in: int, c_out: int, time_dim: int, depth: int = 4) -> None:
        super().__init__()
        self.first = conv_bn(c_in, c_out)
        self.time = nn.Linear(time_dim, c_out)
        self.rest = nn.Sequential(*[conv_bn(c_out, c_out) for _ in range(depth - 1)])

    def forward(self, x, emb):
        h = self.first(x) + self.time(emb)[:, :, None, None]
        return self.rest(h)


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        # halve while it comes out even and at least 2 x 2 pixels remain, at most three times
        levels, size = 0, config.image_size
        while levels < 3 and size % 2 == 0 and size >= 4:
            levels, size = levels + 1, size // 2
        widths = [32 * 2**i for i in range(levels + 1)]

        time_dim = 128
        self.time = nn.Sequential(
            SinusoidalTimestepEmbedding(64), nn.Linear(64, time_dim), nn.ReLU(), nn.Linear(time_dim, time_dim)
        )
        self.pool = nn.MaxPool2d(2)
        channels = [config.image_channels, *widths]
        self.down = nn.ModuleList([Stage(a, b, time_dim) for a, b in pairwise(channels[:-1])])
        self.bottom = Stage(channels[-2], channels[-1], time_dim)
        self.up = nn.ModuleList()
        self.merge = nn.ModuleList()
        for deep, shallow in pairwise(reversed(widths)):
            self.up.append(
                nn.Sequential(
                    nn.ConvTranspose2d(deep, shallow, 2, stride=2, bias=False),
                    nn.BatchNorm2d(shallow),
                    nn.ReLU(inplace=True),
                )
            )
            self.merge.append(Stage(2 * shallow, shallow, time_dim))
        self.out = nn.Conv2d(widths[0], config.image_channels, 1)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        emb = self.time(t)
        skips = []
        for stage in self.down:
            x = stage(x, emb)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x, emb)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), skips.pop()], dim=1), emb)
        return self.out(x)
