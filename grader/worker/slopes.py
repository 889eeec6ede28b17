"""How much does a network's output change along random directions: as autograd says, and when one goes there?

Both are for one scalar, the output times a cotangent. Autograd's slope is reported; for the other the outputs a step to
either side of each direction are returned, and the judge takes the difference.
"""

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, manual_seed, nn, no_grad, randn

from grader.worker.as_real import as_real

GROUPS = 4  # of parameter tensors, each with a direction of its own
SHUFFLES = 2  # so many times the tensors are divided into groups
IMAGES = 3  # directions in which x moves
DIRECTIONS = IMAGES + SHUFFLES * GROUPS  # at most
parameters_of, buffers_of = nn.Module.parameters, nn.Module.buffers
Direction = dict[int, Tensor]  # which of the leaves moves, and where to


def directions(leaves: list[Tensor], generator: torch.Generator) -> Iterator[Direction]:
    """Random directions: of x, the first leaf, and of groups of parameters, relative to their size."""
    for _ in range(IMAGES):
        yield {0: randn(leaves[0].shape, generator=generator).to(leaves[0])}
    for _ in range(SHUFFLES):
        order = torch.randperm(len(leaves) - 1, generator=generator) + 1
        for group in range(min(GROUPS, len(order))):
            yield {i: scale(leaves[i]) * randn(leaves[i].shape, generator=generator).to(leaves[i])
                   for i in order[group::GROUPS].tolist()}  # fmt: skip


def scale(p: Tensor) -> float:
    """The size of a parameter's values, or of what a new one's would be, if that is more."""
    fan_in = max(1, p.numel() // len(p)) if p.ndim > 1 else 16
    return max(p.detach().square().mean().sqrt().item(), 0.1 / math.sqrt(fan_in))


def slope(gradient: Tensor | None, direction: Tensor) -> float:
    return 0.0 if gradient is None else float((as_real(gradient).cpu().double() * direction.cpu()).sum())


@contextmanager
def kept(tensors: list[Tensor]) -> Iterator[Callable[[], None]]:
    """Gives a function that puts all values back, which is also done at the end."""
    values = [tensor.detach().clone() for tensor in tensors]

    def restore() -> None:
        with no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)

    try:
        yield restore
    finally:
        restore()


def measure(
    model: nn.Module, x: Tensor, t: Tensor, run: Callable[[Tensor], None], *, seed: int, step: float
) -> tuple[list[float], bool, Tensor, Tensor]:
    """For D directions: autograd's slopes, whether the same call gets the same answer twice, and the outputs.

    Args:
        x: (B, C, H, W), a leaf that requires a gradient
        run: backward from an output
    Returns:
        slopes, D numbers; whether the network can be asked twice; outputs a step forward, and a step back, along each
        direction: (D, B, C, H, W) each, float64
    """
    leaves = [x, *(p for p in parameters_of(model) if p.requires_grad)]
    with kept([*leaves, *parameters_of(model), *buffers_of(model)]) as restore:

        def answer() -> Tensor:
            restore()
            return ask()

        def ask() -> Tensor:
            manual_seed(seed)
            random.seed(seed)
            y: Tensor = model(x, t)
            return y

        for leaf in leaves:
            leaf.grad = None
        y = answer()
        run(y)
        moved = [as_real(leaf.detach()) for leaf in leaves]
        along = list(directions(moved, torch.Generator().manual_seed(seed)))
        slopes = [math.fsum(slope(leaves[i].grad, v) for i, v in direction.items()) for direction in along]
        for leaf in leaves:
            leaf.grad = None
        with no_grad():
            repeats = bool(torch.equal(answer(), y))
            sides = []
            for sign in (step, -step):
                outputs = []
                for direction in along:
                    restore()
                    for i, v in direction.items():
                        moved[i].add_(v, alpha=sign)
                    outputs.append(ask().cpu().double())  # some devices have no float64
                sides.append(torch.stack(outputs))
    return slopes, repeats, sides[0], sides[1]
