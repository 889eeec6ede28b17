"""No convolutions at all: an MLP on the flattened pixels, with the timestep embedding at every layer."""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        n = config.image_channels * config.image_size**2
        hidden = 192
        self.embedding = SinusoidalTimestepEmbedding(64)
        self.fc_t = nn.Linear(64, hidden)
        self.fc_in = nn.Linear(n, hidden)
        self.fc1 = nn.Linear(2 * hidden, hidden)
        self.fc2 = nn.Linear(2 * hidden, hidden)
        self.fc_out = nn.Linear(hidden, n)
        self.gain = nn.Linear(hidden, 1)  # how much of x itself is noise, at this t
        self.act = nn.SiLU()

    def forward(self, x, t):
        flat = x.flatten(1)
        time = self.act(self.fc_t(self.embedding(t)))
        h = self.act(self.fc_in(flat))
        h = h + self.act(self.fc1(torch.cat((h, time), dim=1)))
        h = h + self.act(self.fc2(torch.cat((h, time), dim=1)))
        return (self.fc_out(h) + self.gain(time) * flat).view_as(x)
