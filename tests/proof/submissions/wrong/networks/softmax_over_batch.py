"""A channel gate takes its softmax over dimension 0, the batch, instead of the channels.

Caught by: level1.batch.samples_independent
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class ChannelGate(nn.Module):
    def __init__(self, c: int, d: int) -> None:
        super().__init__()
        self.score = nn.Linear(c + d, c)

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        summary = torch.cat([h.mean(dim=(2, 3)), emb], dim=1)  # (B, c + d)
        return h * (1 + self.score(summary).softmax(dim=0)[:, :, None, None])


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, d = 36, 48
        self.emb = SinusoidalTimestepEmbedding(d)
        self.enter = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.convs = nn.ModuleList([nn.Conv2d(c, c, 3, padding=1) for _ in range(3)])
        self.gates = nn.ModuleList([ChannelGate(c, d) for _ in range(3)])
        self.leave = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.emb(t)
        h = self.enter(x)
        for conv, gate in zip(self.convs, self.gates, strict=True):
            h = h + nn.functional.silu(conv(gate(h, emb)))
        return self.leave(h)
