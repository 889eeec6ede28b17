"""The last layer of its nn.Sequential head is a sigmoid: nothing below zero.

Caught by: level1.training.not_squashed
"""

from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        n, d = config.image_channels * config.image_size**2, 128
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d))
        self.body = nn.Sequential(nn.Linear(n, d), nn.LayerNorm(d), nn.ReLU(), nn.Linear(d, d))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(d, d), nn.ReLU(), nn.Linear(d, n), nn.Sigmoid())

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.head(self.body(x.flatten(1)) + self.time(t)).reshape(x.shape)
