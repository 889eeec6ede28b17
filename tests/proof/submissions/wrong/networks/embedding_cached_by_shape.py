"""Keeps the sinusoids in eval mode by batch size, and so uses those of an earlier t.

Caught by: level1.behaviour.no_hidden_state
"""

from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class CachedSinusoid(nn.Module):
    """The sinusoids cost time while sampling; compute them once per batch size."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.embed = SinusoidalTimestepEmbedding(dim)
        self.cache: dict[int, Tensor] = {}

    def forward(self, t: Tensor) -> Tensor:
        if self.training:
            return self.embed(t)
        key = t.shape[0]
        if key not in self.cache:
            self.cache[key] = self.embed(t)
        return self.cache[key]


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.time = nn.Sequential(CachedSinusoid(64), nn.Linear(64, 96), nn.SiLU())
        n = config.image_channels * config.image_size**2
        self.enter, self.inner, self.leave = nn.Linear(n, 96), nn.Linear(96, 96), nn.Linear(96, n)
        self.gain = nn.Linear(96, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.time(t)
        flat = x.flatten(1)
        h = nn.functional.silu(self.enter(flat) + emb)
        h = h + nn.functional.silu(self.inner(h) + emb)
        return (self.leave(h) + self.gain(emb) * flat).view_as(x)
