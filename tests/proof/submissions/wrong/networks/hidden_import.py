"""Imports diffusers under a name put together at run time.

Caught by: level1.own_work
"""

import importlib

from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig

library = importlib.import_module("".join(["diff", "users"]))


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        build = getattr(library, "UNet2D" + "Model")
        self.net = build(
            sample_size=config.image_size,
            in_channels=config.image_channels,
            out_channels=config.image_channels,
            block_out_channels=(16, 32),
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            layers_per_block=1,
            norm_num_groups=8,
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.net(x, t, return_dict=False)[0]
