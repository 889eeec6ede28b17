"""An MLP whose hidden units are opened and closed by a table: one learnt row of gates for each timestep.

After the 2-D toy example in Sohl-Dickstein's style, where t selects how much of each unit passes.
"""

from itertools import pairwise

import torch
from torch import nn


class GatedLinear(nn.Module):
    def __init__(self, dim_in, dim_out, num_steps):
        super().__init__()
        self.linear = nn.Linear(dim_in, dim_out)
        self.gate = nn.Embedding(num_steps, dim_out)
        nn.init.uniform_(self.gate.weight)

    def forward(self, x, t):
        return self.linear(x) * torch.sigmoid(self.gate(t))


class DiffusionModel(nn.Module):
    def __init__(self, config, hidden=256, depth=3):
        super().__init__()
        pixels = config.image_channels * config.image_size * config.image_size
        dims = [pixels] + [hidden] * depth
        self.layers = nn.ModuleList(GatedLinear(a, b, config.num_timesteps) for a, b in pairwise(dims))
        self.act = nn.Softplus()
        self.out = nn.Linear(hidden, pixels)

    def forward(self, x, t):
        h = x.flatten(start_dim=1)
        for layer in self.layers:
            h = self.act(layer(h, t))
        return self.out(h).reshape(x.shape)
