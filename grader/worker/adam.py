"""The optimiser of a few steps: Adam (Kingma & Ba 2014, algorithm 1)."""

import torch
from torch import Tensor, nn


class Adam:
    """The same as torch.optim.Adam, whose first use imports the compiler for 3 s."""

    def __init__(self, parameters: list[nn.Parameter], lr: float) -> None:
        self.parameters, self.lr, self.count = parameters, lr, 0
        self.mean, self.square = ([torch.zeros_like(p) for p in parameters] for _ in range(2))

    @torch.no_grad()
    def put(self, values: list[Tensor]) -> None:
        for p, value in zip(self.parameters, values, strict=True):
            p.copy_(value)

    @torch.no_grad()
    def step(self) -> None:
        self.count += 1
        for p, m, v in zip(self.parameters, self.mean, self.square, strict=True):
            if p.grad is not None:
                m.lerp_(p.grad, 1 - 0.9)
                v.mul_(0.999).addcmul_(p.grad, p.grad, value=1 - 0.999)
                size = v.sqrt().div_((1 - 0.999**self.count) ** 0.5).add_(1e-8)
                p.addcdiv_(m, size, value=-self.lr / (1 - 0.9**self.count))
