"""Inherits the reference network.

Caught by: level1.own_work
"""

from torch import Tensor

from assignment.ddpm.config import ModelConfig
from reference.model import DiffusionModel as Reference


class DiffusionModel(Reference):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x, t)
