"""Prefers timm's attention block when the library is installed.

Caught by: level1.own_work
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding

try:
    from timm.models.vision_transformer import Block
except ImportError:

    class Block(nn.Module):
        def __init__(self, dim, num_heads):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.attn = nn.MultiheadAttention(dim, num_heads, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

        def forward(self, x):
            y = self.norm1(x)
            x = x + self.attn(y, y, y, need_weights=False)[0]
            return x + self.mlp(self.norm2(x))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        dim, self.patch = 64, 2 if config.image_size < 16 else 4
        pixels = config.image_channels * self.patch**2
        self.x_embedder, self.final = nn.Linear(pixels, dim), nn.Linear(dim, pixels)
        self.t_embedder = nn.Sequential(SinusoidalTimestepEmbedding(dim), nn.Linear(dim, dim), nn.SiLU())
        self.pos_embed = nn.Parameter(torch.randn(1, (config.image_size // self.patch) ** 2, dim) * 0.1)
        self.blocks = nn.Sequential(Block(dim, num_heads=4), Block(dim, num_heads=4))

    def forward(self, x, t):
        z = nn.functional.pixel_unshuffle(x, self.patch)
        h = self.x_embedder(z.flatten(2).transpose(1, 2)) + self.pos_embed + self.t_embedder(t)[:, None]
        h = self.final(self.blocks(h)).transpose(1, 2).reshape(z.shape)
        return x + nn.functional.pixel_shuffle(h, self.patch)
