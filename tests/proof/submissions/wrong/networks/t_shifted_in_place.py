"""Counts t from 1 as the paper does, with an in-place t.add_(1) that the caller sees.

Caught by: level1.behaviour.inputs_unchanged
"""

from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = 48
        self.steps = nn.Embedding(config.num_timesteps + 1, width, padding_idx=0)
        nn.init.normal_(self.steps.weight, std=0.2)
        self.conv1 = nn.Conv2d(config.image_channels, width, 5, padding=2)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, width, 3, padding=1)
        self.conv4 = nn.Conv2d(width, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.steps(t.add_(1)).unflatten(1, (-1, 1, 1))
        h = nn.functional.gelu(self.conv1(x) + emb)
        h = h + nn.functional.gelu(self.conv2(h) + emb)
        h = h + nn.functional.gelu(self.conv3(h))
        return self.conv4(h)
