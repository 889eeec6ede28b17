"""What a network takes sines and cosines of, and what its linear layers get."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

KINDS = {"sin": "angle", "cos": "angle", "sin_": "angle", "cos_": "angle", "linear": "linear"}
CALLS, NUMBERS = 16, 4096  # of each kind that are looked at, and numbers of each image in one


class Angles(TorchFunctionMode):
    """Within it, the arguments of sin, cos and linear are noted: (B, D) each, where they are of B rows."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch, self.found = batch, dict[str, Tensor]()  # "angle 0", "linear 1", …

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kind, value = KINDS.get(getattr(func, "__name__", "")), args[0] if args else None
        if kind and isinstance(value, Tensor) and sum(name.startswith(kind) for name in self.found) < CALLS:
            with torch._C.DisableTorchFunction():
                if value.ndim and len(value) == self.batch and value.is_floating_point():
                    rows = value.detach().reshape(self.batch, -1)[:, :NUMBERS].float().clone()
                    self.found[f"{kind} {len(self.found)}"] = rows
        return func(*args, **(kwargs or {}))
