"""The optimiser of a few steps: Adam (Kingma & Ba 2014, algorithm 1)."""

import torch
from torch import Tensor, nn

from grader.worker.as_real import as_real

BETAS, EPS = (0.9, 0.999), 1e-8


class Adam:
    """The same as torch.optim.Adam, whose first use imports the compiler for 3 s."""

    def __init__(self, parameters: list[nn.Parameter], lr: float) -> None:
        self.parameters, self.lr, self.count = parameters, lr, 0
        numbers = [as_real(p.detach()) for p in parameters]
        self.kept, self.mean, self.square = ([torch.zeros_like(p) for p in numbers] for _ in range(3))

    @torch.no_grad()
    def keep(self) -> None:
        """Note the parameters' values, for put_back."""
        for value, p in zip(self.kept, self.parameters, strict=True):
            value.copy_(as_real(p))

    @torch.no_grad()
    def put_back(self) -> None:
        for p, value in zip(self.parameters, self.kept, strict=True):
            as_real(p).copy_(value)

    @torch.no_grad()
    def step(self) -> None:
        self.count += 1
        for parameter, m, v in zip(self.parameters, self.mean, self.square, strict=True):
            if parameter.grad is not None:
                p, grad = as_real(parameter), as_real(parameter.grad)
                one_kernel = p.device.type == "cpu" and all(_plain(tensor) for tensor in (p, grad, m, v))
                (self._in_one_kernel if one_kernel else self._by_parts)(p, grad, m, v)

    def _in_one_kernel(self, p: Tensor, grad: Tensor, m: Tensor, v: Tensor) -> None:
        """As torch.optim.Adam(fused=True): it passes over memory once, which for wide layers takes half the time."""
        torch._fused_adam_(
            [p], [grad], [m], [v], [], [torch.tensor(float(self.count))],
            lr=self.lr, beta1=BETAS[0], beta2=BETAS[1], weight_decay=0.0, eps=EPS, amsgrad=False, maximize=False,
        )  # fmt: skip

    def _by_parts(self, p: Tensor, grad: Tensor, m: Tensor, v: Tensor) -> None:
        m.lerp_(grad, 1 - BETAS[0])
        v.mul_(BETAS[1]).addcmul_(grad, grad, value=1 - BETAS[1])
        size = v.sqrt().div_((1 - BETAS[1] ** self.count) ** 0.5).add_(EPS)
        p.addcdiv_(m, size, value=-self.lr / (1 - BETAS[0] ** self.count))


def _plain(tensor: Tensor) -> bool:
    """Whether the kernel reads it as it is: it takes memory for one row of numbers, whatever the strides say."""
    return tensor.layout == torch.strided and tensor.dtype == torch.float32 and tensor.is_contiguous()
