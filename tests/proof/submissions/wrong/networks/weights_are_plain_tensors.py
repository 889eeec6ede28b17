"""Position embeddings made with requires_grad=True but not wrapped in nn.Parameter: not saved, not trained.

Caught by: level1.training.registered
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, p = 64, 4
        self.n = (config.image_size // p) ** 2
        pixels = config.image_channels * p * p
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(p), nn.PixelShuffle(p)
        self.enter, self.leave = nn.Linear(pixels, dim), nn.Linear(dim, pixels)
        self.position = torch.randn(1, self.n, dim, requires_grad=True)
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(dim), nn.Linear(dim, dim), nn.GELU())
        self.tokens = nn.ModuleList([nn.Linear(self.n, self.n) for _ in range(2)])
        self.mlps = nn.ModuleList(
            [
                nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
                for _ in "ab"
            ]
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        z = self.unshuffle(x)
        h = self.enter(z.flatten(2).transpose(1, 2)) + self.position.to(x.device) + self.time(t)[:, None]
        for mix, mlp in zip(self.tokens, self.mlps, strict=True):
            h = h + mix(h.transpose(1, 2)).transpose(1, 2)
            h = h + mlp(h)
        return x + self.shuffle(self.leave(h).transpose(1, 2).reshape(z.shape))
