"""weight_norm on every convolution and learned sinusoid frequencies, in a ModuleDict walked by name."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from assignment.ddpm.config import ModelConfig


class LearnedSinusoid(nn.Module):
    """sin and cos of ω·t/T, where ω is trained and starts between 1 and 300."""

    def __init__(self, dim: int, num_timesteps: int) -> None:
        super().__init__()
        self.omega = nn.Parameter(torch.logspace(0, 2.5, dim // 2))
        self.num_timesteps = num_timesteps

    def forward(self, t: Tensor) -> Tensor:
        angle = (t.float() / self.num_timesteps)[:, None] * self.omega
        return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, self.depth = 40, 3
        layers: dict[str, nn.Module] = {"in": weight_norm(nn.Conv2d(config.image_channels, c, 3, padding=1))}
        for i in range(self.depth):
            layers[f"conv{i}"] = weight_norm(nn.Conv2d(c, c, 3, padding=1))
            layers[f"time{i}"] = nn.Linear(32, c)
        layers["out"] = weight_norm(nn.Conv2d(c, config.image_channels, 3, padding=1))
        self.layers = nn.ModuleDict(layers)
        self.sinusoid = LearnedSinusoid(32, config.num_timesteps)
        self.act = nn.PReLU(c)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.sinusoid(t)
        h = self.layers["in"](x)
        for i in range(self.depth):
            h = h + self.act(self.layers[f"conv{i}"](h) + self.layers[f"time{i}"](emb)[:, :, None, None])
        return self.layers["out"](h)
