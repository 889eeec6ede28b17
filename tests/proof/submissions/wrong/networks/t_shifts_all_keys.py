"""The embedding is added to the attention's keys only, the same for every key: softmax does not notice.

Caught by: level1.timestep.depends_on_t
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class TimeAttention(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.query, self.key, self.value = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.time = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        z = self.norm(h)
        keys = self.key(z) + self.time(emb)[:, None]
        scores = self.query(z) @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5
        h = h + torch.softmax(scores, dim=-1) @ self.value(z)
        return h + self.mlp(h)


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, self.patch = 64, 2 if config.image_size < 16 else 4
        pixels = config.image_channels * self.patch**2
        self.enter = nn.Linear(pixels, dim)
        self.position = nn.Parameter(0.1 * torch.randn((config.image_size // self.patch) ** 2, dim))
        self.embed = SinusoidalTimestepEmbedding(dim)
        self.layers = nn.ModuleList([TimeAttention(dim) for _ in range(3)])
        self.leave = nn.Linear(dim, pixels)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        z = nn.functional.pixel_unshuffle(x, self.patch)
        h = self.enter(z.flatten(2).transpose(1, 2)) + self.position
        emb = self.embed(t)
        for layer in self.layers:
            h = layer(h, emb)
        out = self.leave(h).transpose(1, 2).reshape(z.shape)
        return x + nn.functional.pixel_shuffle(out, self.patch)
