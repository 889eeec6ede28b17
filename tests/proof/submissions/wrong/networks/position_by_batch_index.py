"""Tokens are (B, N, D), but positions are added as if they were (N, B, D): an image gets the position of its rank.

Caught by: level1.batch.order
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class PositionalEncoding(nn.Module):
    """The usual table, for sequence-first input (N, B, D)."""

    def __init__(self, dim: int, max_len: int = 1024) -> None:
        super().__init__()
        pe = SinusoidalTimestepEmbedding(dim)(torch.arange(max_len))
        self.register_buffer("pe", pe[:, None])  # (max_len, 1, D)

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens + self.pe[: tokens.shape[0]]


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, self.patch = 64, 2 if config.image_size < 16 else 4
        pixels = config.image_channels * self.patch**2
        self.enter, self.leave = nn.Linear(pixels, dim), nn.Linear(dim, pixels)
        self.position = PositionalEncoding(dim)
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(dim), nn.Linear(dim, dim), nn.GELU())
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(4)])
        self.attention = nn.ModuleList([nn.MultiheadAttention(dim, 4, batch_first=True) for _ in range(2)])
        self.mlps = nn.ModuleList(
            [nn.Sequential(nn.Linear(dim, 128), nn.GELU(), nn.Linear(128, dim)) for _ in range(2)]
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        z = nn.functional.pixel_unshuffle(x, self.patch)
        h = self.position(self.enter(z.flatten(2).transpose(1, 2))) + self.time(t)[:, None]
        for i in range(2):
            y = self.norms[2 * i](h)
            h = h + self.attention[i](y, y, y)[0]
            h = h + self.mlps[i](self.norms[2 * i + 1](h))
        return x + nn.functional.pixel_shuffle(self.leave(h).transpose(1, 2).reshape(z.shape), self.patch)
