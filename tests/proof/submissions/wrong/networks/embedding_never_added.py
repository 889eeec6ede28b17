"""Computes features plus embedding, but goes on with the features alone.

Caught by: level1.timestep.depends_on_t
Hint: computed and then never added
"""

import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Block(nn.Module):
    def __init__(self, ch: int, time_dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(ch, ch, 3, padding=1)
        self.conv2 = nn.Conv2d(ch, ch, 3, padding=1)
        self.time_mlp = nn.Linear(time_dim, ch)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = F.relu(self.conv1(x))
        h.add(self.time_mlp(emb)[:, :, None, None])
        return x + self.conv2(h)


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = SinusoidalTimestepEmbedding(32)
        self.start = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.blocks = nn.ModuleList([Block(32, 32) for _ in range(3)])
        self.end = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.embedding(t)
        h = self.start(x)
        for block in self.blocks:
            h = block(h, emb)
        return self.end(h)
