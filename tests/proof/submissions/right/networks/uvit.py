"""U-ViT (Bao et al. 2023): the timestep is one more token, and long skips join early and late blocks."""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Block(nn.Module):
    def __init__(self, dim, heads=4, skip=False):
        super().__init__()
        self.merge = nn.Linear(2 * dim, dim) if skip else None
        self.norm_attn, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 3 * dim), nn.GELU(), nn.Linear(3 * dim, dim))
        self.heads, self.scale = heads, (dim // heads) ** -0.5

    def forward(self, h, skip=None):
        if self.merge is not None:
            h = self.merge(torch.cat([h, skip], dim=-1))
        q, k, v = (z.unflatten(-1, (self.heads, -1)) for z in self.to_qkv(self.norm_attn(h)).chunk(3, dim=-1))
        weights = torch.einsum("bihd,bjhd->bhij", q, k).mul(self.scale).softmax(-1)
        h = h + self.to_out(torch.einsum("bhij,bjhd->bihd", weights, v).flatten(2))
        return h + self.mlp(self.norm_mlp(h))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        dim, patch = 80, 4 if config.image_size > 16 else 2
        n = (config.image_size // patch) ** 2
        self.patch = patch
        self.to_tokens = nn.Linear(patch * patch * config.image_channels, dim)
        self.time = SinusoidalTimestepEmbedding(dim)
        self.pos = nn.Parameter(torch.randn(1, n + 1, dim) * 0.02)
        self.early = nn.ModuleList([Block(dim) for _ in range(2)])
        self.middle = Block(dim)
        self.late = nn.ModuleList([Block(dim, skip=True) for _ in range(2)])
        self.norm = nn.LayerNorm(dim)
        self.to_patches = nn.Linear(dim, patch * patch * 8)
        self.smooth = nn.Conv2d(8 + config.image_channels, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        tokens = nn.functional.pixel_unshuffle(x, self.patch)  # (B, C·p·p, H / p, W / p)
        grid = tokens.shape[-2:]
        h = self.to_tokens(tokens.flatten(2).mT)
        h = torch.cat([self.time(t)[:, None], h], dim=1) + self.pos
        skips = []
        for block in self.early:
            h = block(h)
            skips.append(h)
        h = self.middle(h)
        for block in self.late:
            h = block(h, skips.pop())
        h = self.to_patches(self.norm(h)[:, 1:]).mT.unflatten(2, grid)
        h = nn.functional.pixel_shuffle(h, self.patch)
        return self.smooth(torch.cat([h, x], dim=1))
