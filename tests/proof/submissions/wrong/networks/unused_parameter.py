"""Creates a class token that forward never uses.

Caught by: level1.training.all_parameters
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, self.patch = 64, 2 if config.image_size < 16 else 4
        pixels = config.image_channels * self.patch**2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.randn(1, (config.image_size // self.patch) ** 2, dim) * 0.1)
        self.patch_embed = nn.Linear(pixels, dim)
        self.time_embed = nn.Sequential(SinusoidalTimestepEmbedding(dim), nn.Linear(dim, dim), nn.SiLU())
        self.qkv = nn.ModuleList(nn.Linear(dim, 3 * dim) for _ in range(2))
        self.ffn = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim))
            for _ in range(2)
        )
        self.unpatch = nn.Linear(dim, pixels)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        z = nn.functional.pixel_unshuffle(x, self.patch)
        h = self.patch_embed(z.flatten(2).transpose(1, 2)) + self.pos_embed + self.time_embed(t).unsqueeze(1)
        for qkv, ffn in zip(self.qkv, self.ffn, strict=True):
            q, k, v = qkv(h).chunk(3, dim=-1)
            h = h + nn.functional.scaled_dot_product_attention(q, k, v)
            h = h + ffn(h)
        return nn.functional.pixel_shuffle(self.unpatch(h).transpose(1, 2).reshape(z.shape), self.patch) + x
