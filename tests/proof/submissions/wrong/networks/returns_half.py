"""Returns the noise in half precision, to save memory.

Caught by: level1.contract.output
"""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        n, d = config.image_channels * config.image_size**2, 160
        self.emb = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d), nn.SiLU())
        self.inp, self.mid, self.out = nn.Linear(n, d), nn.Linear(d, d), nn.Linear(d, n)
        self.direct = nn.Linear(d, 1)

    def forward(self, x, t):
        emb = self.emb(t)
        flat = x.flatten(1)
        h = torch.nn.functional.silu(self.inp(flat) + emb)
        h = h + torch.nn.functional.silu(self.mid(h) + emb)
        out = self.out(h) + self.direct(emb) * flat
        return out.view(x.shape).half()
