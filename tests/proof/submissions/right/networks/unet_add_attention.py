"""A U-Net of depth three with additive skips and hand-written self-attention at the bottleneck.

At 8×8 the bottleneck is a single pixel: softmax over one token is 1, and queries and keys learn nothing there.
"""

import math
from itertools import pairwise

from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class SelfAttention2d(nn.Module):
    """softmax(Q Kᵀ / √d) V over the pixels of a feature map, one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.q = nn.Linear(channels, channels)
        self.k = nn.Linear(channels, channels)
        self.v = nn.Linear(channels, channels)
        self.o = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (B, HW, C)
        q, k, v = self.q(tokens), self.k(tokens), self.v(tokens)
        weights = (q @ k.transpose(1, 2) / math.sqrt(c)).softmax(dim=-1)  # (B, HW, HW)
        return x + self.o(weights @ v).transpose(1, 2).reshape(b, c, h, w)


class Stage(nn.Module):
    def __init__(self, c_in: int, c_out: int, d: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.GroupNorm(8, c_out), nn.SiLU(), nn.Conv2d(c_out, c_out, 3, padding=1))
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.temb = nn.Sequential(nn.SiLU(), nn.Linear(d, c_out))

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.conv(x) + self.temb(emb)[..., None, None]
        return h + self.body(h)


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths, d = [24, 32, 48, 48], 64
        self.temb = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
        self.stem = nn.Conv2d(config.image_channels, widths[0], 3, padding=1)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(Stage(a, b, d) for a, b in pairs)
        self.up = nn.ModuleList(Stage(b, a, d) for a, b in reversed(pairs))
        self.pool = nn.AvgPool2d(2, ceil_mode=True)  # 28 → 14 → 7 → 4
        self.attention = SelfAttention2d(widths[-1])
        self.head = nn.Sequential(nn.SiLU(), nn.Conv2d(widths[0], config.image_channels, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.temb(t)
        h = self.stem(x)
        skips = []
        for stage in self.down:
            skips.append(h)
            h = self.pool(stage(h, emb))
        h = self.attention(h)
        for stage, skip in zip(self.up, reversed(skips), strict=True):
            h = nn.functional.interpolate(h, size=skip.shape[-2:])
            h = stage(h, emb) + skip
        return self.head(h)
