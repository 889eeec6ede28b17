"""The reference network: a wrapper around HuggingFace diffusers' UNet2DModel, trained from random initialisation."""

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
        self.unet = UNet2DModel(
            sample_size=config.image_size,
            in_channels=config.image_channels,
            out_channels=config.image_channels,
            layers_per_block=config.layers_per_block,
            block_out_channels=tuple(config.block_out_channels),
            norm_num_groups=config.norm_num_groups,
            down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in config.block_attention),
            up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(config.block_attention)),
            add_attention=config.mid_block_attention,
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x (B, C, H, W), t (B,) → predicted noise (B, C, H, W)."""
        return self.unet(x, t, return_dict=False)[0]
