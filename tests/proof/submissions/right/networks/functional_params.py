"""No layers, only a ParameterDict and functions: a channels-last MLP per pixel with shifts of its neighbours."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dense(h: Tensor, params: nn.ParameterDict, name: str) -> Tensor:
    return F.linear(h, params[name + "_w"], params[name + "_b"])


def look_around(h: Tensor) -> Tensor:
    """(B, H, W, C) → (B, H, W, 9·C): each pixel with its eight neighbours, zeros beyond the border."""
    padded = F.pad(h, (0, 0, 1, 1, 1, 1))
    height, width = h.shape[1:3]
    views = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return torch.cat(views, dim=-1)


def timestep_features(t: Tensor, dim: int) -> Tensor:
    rates = torch.exp(torch.arange(dim // 2, device=t.device) * (-math.log(10_000.0) / (dim // 2)))
    angles = t.float().unsqueeze(-1) * rates
    return torch.cat((torch.cos(angles), torch.sin(angles)), dim=-1)


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, w = config.image_channels, 56
        self.params, self.dim = nn.ParameterDict(), 64
        sizes = {"time": (self.dim, w), "l0": (9 * c, w), "l1": (9 * w, w), "l2": (9 * w, w), "out": (9 * w, c)}
        for name, (d_in, d_out) in sizes.items():
            self.params[name + "_w"] = nn.Parameter(torch.randn(d_out, d_in) / math.sqrt(d_in))
            self.params[name + "_b"] = nn.Parameter(torch.zeros(d_out))
        self.params["gain"] = nn.Parameter(torch.ones(3, w))

    def forward(self, x, t):
        p = self.params
        time = torch.tanh(dense(timestep_features(t, self.dim), p, "time"))[:, None, None, :]
        h = dense(look_around(x.permute(0, 2, 3, 1)), p, "l0") * (1 + time * p["gain"][0])
        h = h + F.silu(dense(look_around(h), p, "l1") + time * p["gain"][1])
        h = h + F.silu(dense(look_around(h), p, "l2") + time * p["gain"][2])
        return dense(look_around(F.silu(h)), p, "out").permute(0, 3, 1, 2) + x
