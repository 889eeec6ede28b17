"""Self-conditioning that remembers its last prediction and feeds it into the next call of the same shape.

Caught by: level1.behaviour.no_hidden_state
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    """Chen et al. 2022 (Analog Bits) feed the previous estimate back; here the network keeps it itself."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = config.image_channels
        self.last: Tensor | None = None
        self.emb = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, 32))
        self.enter = nn.Conv2d(2 * c, 32, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(3))
        self.leave = nn.Conv2d(32, c, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        known = self.last is not None and self.last.shape == x.shape and not self.training
        previous = self.last.to(x) if known else torch.zeros_like(x)
        h = self.enter(torch.cat([x, previous], dim=1)) + self.emb(t)[:, :, None, None]
        for conv in self.body:
            h = h + nn.functional.silu(conv(h))
        out = self.leave(h)
        self.last = out.detach()
        return out
