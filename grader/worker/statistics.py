"""Which buffers of a network are statistics that torch.nn's own layers keep, and nothing else?

Batch norms average their inputs, spectral norms follow their weights. A buffer counts only if one forward pass in train
mode moves it just as that layer would: what else is written into it is not the layer's.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

NEAR = 1e-3  # relative: more than rounding, far less than the contents of an image
ITERATIONS = 16  # of the power method, at most, in one forward pass: a layer may be used several times

named_modules = nn.Module.named_modules


@torch.no_grad()
def kept_by_torch(model: nn.Module, x: Tensor, t: Tensor) -> list[str]:
    """Names in the state dict. The pass leaves its traces in the buffers."""
    found = {name: module for name, module in named_modules(model) if type(module).__module__.startswith("torch.nn.")}
    norms = {n: m for n, m in found.items() if isinstance(m, _NormBase) and m.running_mean is not None}
    expected = {name: _Averages(module) for name, module in norms.items()}
    hooks = [m.register_forward_pre_hook(partial(_see, expected[n]), with_kwargs=True) for n, m in norms.items()]
    before = {key: [v.clone() for v in vectors] for key, (vectors, _) in _power_methods(model).items()}
    model(x, t)
    for hook in hooks:
        hook.remove()
    kept = [f"{name}.{key}" for name, averages in expected.items() if averages.hold() for key in averages.KEYS]
    for key, (vectors, matrix) in _power_methods(model).items():
        if _follows(before[key], vectors, matrix):
            kept += key
    return [key.removeprefix(".") for key in kept]


class _Averages:
    """The running statistics that a norm should have."""

    KEYS = ("running_mean", "running_var", "num_batches_tracked")

    def __init__(self, module: _NormBase) -> None:
        self.module, self.calls = module, 0
        mean, var, count = self.now()
        self.mean, self.var, self.count = mean.clone(), var.clone(), int(count)

    def now(self) -> tuple[Tensor, Tensor, Tensor]:
        """As the module has them."""
        mean, var, count = (getattr(self.module, key) for key in self.KEYS)
        return mean, var, count

    def see(self, x: Tensor) -> None:
        self.calls, self.count = self.calls + 1, self.count + 1
        share = 1 / self.count if self.module.momentum is None else self.module.momentum
        pixels = x.transpose(0, 1).flatten(1) if isinstance(self.module, _BatchNorm) else x.flatten(2)
        mean, var = pixels.mean(-1), pixels.var(-1)  # (C,), of instance norms (B, C)
        if mean.ndim > 1:
            mean, var = mean.mean(0), var.mean(0)
        self.mean.lerp_(mean.to(self.mean), share)
        self.var.lerp_(var.to(self.var), share)

    def hold(self) -> bool:
        mean, var, _ = self.now()
        return self.calls > 0 and _near(mean, self.mean, var.sqrt()) and _near(var, self.var)


def _see(averages: _Averages, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
    averages.see((*inputs, *named.values())[0].detach())


def _near(value: Tensor, expected: Tensor, spread: Tensor | None = None) -> bool:
    """Both (C,), the difference relative to the values, or to the spread of what they are means of."""
    size = expected.norm() if spread is None else expected.norm() + spread.norm()
    return bool((value - expected).norm() <= NEAR * size)


PowerMethods = dict[tuple[str, str], tuple[tuple[Tensor, Tensor], Tensor]]


def _power_methods(model: nn.Module) -> PowerMethods:
    """Names of the vectors u and v of each spectral norm → the vectors, and the matrix that they belong to."""
    return dict(_find_power_methods(model))


def _find_power_methods(model: nn.Module) -> Iterator[tuple[tuple[str, str], tuple[tuple[Tensor, Tensor], Tensor]]]:
    for name, module in named_modules(model):
        if type(module) is nn.utils.parametrize.ParametrizationList:
            for i, part in enumerate(module):
                if type(part) is _SpectralNorm and module.original.ndim > 1:
                    keys = (f"{name}.{i}._u", f"{name}.{i}._v")
                    yield keys, ((part._u, part._v), part._reshape_weight_to_matrix(module.original))
        for hook in module._forward_pre_hooks.values():
            if type(hook) is SpectralNorm:
                u, v = (getattr(module, f"{hook.name}_{vector}") for vector in "uv")
                matrix = hook.reshape_weight_to_matrix(getattr(module, f"{hook.name}_orig"))
                yield (f"{name}.{hook.name}_u", f"{name}.{hook.name}_v"), ((u, v), matrix)


def _follows(before: list[Tensor], after: tuple[Tensor, Tensor], matrix: Tensor) -> bool:
    """Whether u and v are some steps of the power method further, or the same, in either of torch's two orders."""
    for first in "uv":
        u, v = before
        for _ in range(ITERATIONS):
            if first == "u":
                u = normalize(matrix @ v, dim=0)
                v = normalize(matrix.mH @ u, dim=0)
            else:
                v = normalize(matrix.mH @ u, dim=0)
                u = normalize(matrix @ v, dim=0)
            if _near(after[0], u) and _near(after[1], v):
                return True
    return False
