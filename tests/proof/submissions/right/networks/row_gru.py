"""A recurrent network: a bidirectional GRU reads the rows from top to bottom and back, its first state set by t."""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        row, hidden = config.image_channels * config.image_size, 96
        self.embed = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, hidden), nn.SiLU())
        self.state = nn.Linear(hidden, 2 * hidden)
        self.gain = nn.Linear(hidden, 1)
        self.gru = nn.GRU(row, hidden, batch_first=True, bidirectional=True)
        self.mix = nn.Linear(3 * hidden, hidden)
        self.out = nn.Linear(hidden, row)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.embed(t)  # (B, hidden)
        rows = x.transpose(1, 2).flatten(2)  # (B, H, C·W)
        first = self.state(emb).unflatten(1, (2, -1)).transpose(0, 1).contiguous()  # (2, B, hidden)
        h, _ = self.gru(rows, first)
        h = torch.cat([h, emb[:, None].expand(-1, rows.shape[1], -1)], dim=-1)
        out = self.out(nn.functional.silu(self.mix(h))) + self.gain(emb)[:, None] * rows
        return out.unflatten(2, (x.shape[1], x.shape[3])).transpose(1, 2)
