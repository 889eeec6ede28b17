"""The reference network: a wrapper around HuggingFace diffusers' UNet2DModel, trained from random initialisation."""

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig


class DiffusionModel(nn.Module):
    """A U-Net with residual blocks and optional self-attention, close to the one of Ho et al. 2020 (appendix B).

    Args:
        config: all of ModelConfig; see configs/*.yaml for the shipped values
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        # t reaches every residual block: UNet2DModel embeds it (sinusoids, then two linear layers), and adds it to the
        # features between the two convolutions.
        self.unet = UNet2DModel(
            sample_size=config.image_size,
            in_channels=config.image_channels,
            out_channels=config.image_channels,  # the noise has the shape of the image
            layers_per_block=config.layers_per_block,
            block_out_channels=tuple(config.block_out_channels),  # each block but the last halves height and width
            norm_num_groups=config.norm_num_groups,  # group norm, not batch norm: images stay independent
            # Attention costs (H·W)², so it is for the lower resolutions; Ho et al. use it at 16×16 (appendix B).
            down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in config.block_attention),
            # the way up mirrors the way down, so that skips meet features of their own size
            up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(config.block_attention)),
            add_attention=config.mid_block_attention,  # between the way down and the way up
            # An embedding for each class and one for "no class" is added to that of t, and goes where it goes.
            num_class_embeds=None if config.num_classes is None else config.num_classes + 1,
        )
        self.num_classes = config.num_classes

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """x (B, C, H, W), t (B,) → predicted noise (B, C, H, W).

        With config.num_classes (K), y (B,) are classes in [0, K), or K for "no class"; None: all are K.
        """
        if self.num_classes is not None and y is None:
            y = torch.full_like(t, self.num_classes)  # (B,)
        return self.unet(x, t, y, return_dict=False)[0]  # (B, C, H, W), out of a tuple of one
