"""What a network takes sines and cosines of."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

NAMES = {"sin", "cos", "sin_", "cos_"}
CALLS, NUMBERS = 16, 4096  # that are looked at, and numbers of each image in one


class Angles(TorchFunctionMode):
    """Within it, the arguments of sin and cos are noted: (B, D) each, where they are of B rows."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch, self.found = batch, list[Tensor]()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        angle = args[0] if args else None
        if getattr(func, "__name__", "") in NAMES and isinstance(angle, Tensor) and len(self.found) < CALLS:
            with torch._C.DisableTorchFunction():
                if angle.ndim and len(angle) == self.batch and angle.is_floating_point():
                    self.found.append(angle.detach().reshape(self.batch, -1)[:, :NUMBERS].float().clone())
        return func(*args, **(kwargs or {}))
