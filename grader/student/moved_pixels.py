"""How a network's answers change when x does: single pixels, some of them at the edges, and whole channels."""

import torch
from torch import Tensor

from assignment.ddpm.seeds import derive_seed
from grader.checks.channels import Effects, Move, Place
from grader.student.network import Network

ROWS, INSIDE, COLUMNS = 8, 9, 3  # moved pixels: at both ends of so many rows, inside, and at both ends of columns
MOVE = 1.0  # of a pixel
STEP = 0.05  # of a channel, to either side: small enough for the change to be linear
BATCH = 16


def moves(channels: int, size: int, generator: torch.Generator) -> list[Move]:
    """Pixels to move; those at edges with a place beside them in memory, and one as far away in the image."""
    last = size - 1
    found = []
    for i, row in enumerate((torch.randperm(size - 2, generator=generator)[:ROWS] + 1).tolist()):
        c = i % channels
        for column, step in ((last, 1), (0, -1)):
            as_far = tuple(Place(c, row - k * step, last - column) for k in range(2))
            found.append(Move(Place(c, row, column), Place(c, row + step, last - column), as_far))
    for i in range(INSIDE):
        row, column = (torch.randint(1, last, (2,), generator=generator)).tolist()
        found.append(Move(Place(i % channels, row, column)))
    middle = channels // 2  # has a plane before and after it in memory
    for column in torch.randperm(size, generator=generator)[:COLUMNS].tolist():
        for row, step in ((last, 1), (0, -1)):
            beside, opposite = (Place(middle + sign * step, last - row, column) for sign in (1, -1))
            found.append(Move(Place(middle, row, column), beside, (opposite,)))
    return found


def measure(network: Network) -> Effects:
    """For a network with 3 channels or more, in eval mode."""
    channels, size, _ = network.config.image_shape
    generator = torch.Generator().manual_seed(derive_seed("moved pixels", network.seed))
    x, t = network.at_random(1, "moved pixels")
    chosen = moves(channels, size, generator)
    moved = x.repeat(len(chosen), 1, 1, 1)
    for i, move in enumerate(chosen):
        moved[i][move.at] += MOVE
    field = torch.randn(size, size, generator=generator)
    forth, back = (x + sign * STEP * torch.eye(channels)[:, :, None, None] * field for sign in (1, -1))
    y = ask(network, torch.cat([x, moved, forth, back]), t)
    of_moves, forth, back = y[1:].split([len(chosen), channels, channels])
    return Effects(chosen, of_moves - y[:1], (forth - back) / (2 * STEP))


def ask(network: Network, x: Tensor, t: Tensor) -> Tensor:
    """Answers to x (N, C, H, W), all at one t (1,), in batches."""
    return torch.cat([network(part, t.expand(len(part)).contiguous()) for part in x.split(BATCH)])
