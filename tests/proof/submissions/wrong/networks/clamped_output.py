"""Clamps the predicted noise to the range of images, [-1, 1].

Caught by: level1.training.not_squashed
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class TransformerBlock(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, h: Tensor) -> Tensor:
        y = self.norm1(h)
        h = h + self.attention(y, y, y, need_weights=False)[0]
        return h + self.mlp(self.norm2(h))


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, patch = 64, 2 if config.image_size < 16 else 4
        self.to_tokens = nn.Conv2d(config.image_channels, dim, patch, stride=patch)
        self.to_pixels = nn.ConvTranspose2d(dim, config.image_channels, patch, stride=patch)
        self.position = nn.Parameter(0.05 * torch.randn(1, (config.image_size // patch) ** 2, dim))
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(dim), nn.Linear(dim, dim), nn.GELU())
        self.blocks = nn.Sequential(TransformerBlock(dim), TransformerBlock(dim))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.to_tokens(x)
        tokens = h.flatten(2).transpose(1, 2) + self.position + self.time(t)[:, None]
        out = self.blocks(tokens).transpose(1, 2).reshape(h.shape)
        return (self.to_pixels(out) + x).clamp(-1, 1)
