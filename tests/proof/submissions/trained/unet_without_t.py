"""The same U-Net, but t never reaches it: nearly the same loss, bad samples."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Block(nn.Module):
    def __init__(self, before: int, after: int, d: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, before), nn.Conv2d(before, after, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, after), nn.Conv2d(after, after, 3, padding=1)
        self.film = nn.Linear(d, 2 * after)
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()
        nn.init.zeros_(self.conv2.weight), nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(emb)[:, :, None, None].chunk(2, dim=1)
        return self.skip(x) + self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = (
            nn.GroupNorm(8, width),
            nn.Conv2d(width, 3 * width, 1),
            nn.Conv2d(width, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.flatten(2).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, dim=1))
        return x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).view_as(x))


class DiffusionModel(nn.Module):
    widths = (32, 64)

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        top, bottom = self.widths
        d = 4 * top
        self.temb = nn.Sequential(
            SinusoidalTimestepEmbedding(top), nn.Linear(top, d), nn.SiLU(), nn.Linear(d, d), nn.SiLU()
        )
        self.stem = nn.Conv2d(config.image_channels, top, 3, padding=1)
        self.down = nn.ModuleList([Block(top, top, d), Block(top, top, d)])
        self.halve = nn.Conv2d(top, top, 3, stride=2, padding=1)
        self.low = nn.ModuleList([Block(top, bottom, d), Block(bottom, bottom, d), Block(bottom, bottom, d)])
        self.attention = Attention(bottom)
        self.up = nn.ModuleList([Block(bottom + top, top, d), Block(2 * top, top, d)])
        self.head = nn.Sequential(nn.GroupNorm(8, top), nn.SiLU(), nn.Conv2d(top, config.image_channels, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = F.silu(self.temb(torch.zeros_like(t)))
        h, skips = self.stem(x), []
        for block in self.down:
            h = block(h, emb)
            skips.append(h)
        h = self.halve(h)
        for i, block in enumerate(self.low):
            h = block(h, emb)
            if i == 1:
                h = self.attention(h)
        h = F.interpolate(h, size=x.shape[-2:], mode="nearest")
        for block in self.up:
            h = block(torch.cat([h, skips.pop()], dim=1), emb)
        return self.head(h)
