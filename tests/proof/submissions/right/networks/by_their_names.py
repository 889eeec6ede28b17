"""Layers and activations by their names, as in many published files, and a try-out below that loads weights."""

import logging
import re
import sys
from functools import partial, reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding

log = logging.getLogger(__name__)
conv3 = partial(nn.Conv2d, kernel_size=3, padding=1)
LAYER = re.compile(r"block(\d+)")


def activation(name: str = "silu"):
    return getattr(F, name)


def normed(layer: nn.Module, width: int, norm=nn.GroupNorm) -> nn.Module:
    norm = norm(8, width)
    norm.eps = 1e-5
    layer.bias.data = torch.zeros_like(layer.bias)
    return nn.Sequential(norm, layer)


@torch.jit.script
def add(h: Tensor, emb: Tensor) -> Tensor:
    return h + emb[:, :, None, None]


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig, eval: bool = False, compile: bool = False, **more) -> None:
        super().__init__()
        width, self.count, dtype = 48, 3, getattr(torch, "float32")  # noqa: B009
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, width, dtype=dtype), nn.SiLU())
        self.first = conv3(config.image_channels, width)
        for i in range(self.count):
            setattr(self, f"block{i}", normed(conv3(width, width), width))
        self.last = conv3(width, config.image_channels)
        self.act, self.big = activation(), sys.maxsize
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.name = module.__class__.__name__
        if compile and hasattr(torch, "compile"):
            self.compile()
        if eval:
            self.eval()
        vars(self).update(more)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.time(t)  # (B, width)
        h = self.first(x)  # (B, width, H, W)
        for i in range(self.count):
            h = h + getattr(self, f"block{i}")(self.act(add(h, emb)))
        return reduce(getattr, ["last"], self)(h)


if __name__ == "__main__":
    network = DiffusionModel(ModelConfig())
    network.load_state_dict(torch.load("weights.pt"))
    exec("print(network)")
