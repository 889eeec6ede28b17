"""Networks with labels as samplers call them: a class is wished for each image, and guidance leads to it (level 6)."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from assignment.ddpm.errors import RunError

# guided_eps(model, x_t, t, y, w, num_classes) → eps_hat: assignment/sampler.py says what
GuidedEps = Callable[[nn.Module, Tensor, Tensor, Tensor, float, int], Tensor]


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598) of a strength."""

    guided_eps: GuidedEps
    w: float
    num_classes: int

    def of(self, network: nn.Module) -> nn.Module:
        """The guided network, (x, t, y) → predicted noise. Raises RunError where guided_eps returns something else."""
        return _Guided(network, self)


class _Guided(nn.Module):
    def __init__(self, network: nn.Module, guidance: Guidance) -> None:
        super().__init__()
        self.network, self.guidance = network, guidance

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:  # (B, C, H, W), (B,), (B,) → (B, C, H, W)
        eps = self.guidance.guided_eps(self.network, x, t, y, self.guidance.w, self.guidance.num_classes)
        if not isinstance(eps, Tensor) or eps.shape != x.shape:
            got = tuple(eps.shape) if isinstance(eps, Tensor) else type(eps).__name__
            raise RunError(f"guided_eps must return a tensor of x_t's shape {tuple(x.shape)}, got {got}")
        return eps


class WithLabels(nn.Module):
    """A network with the labels of a batch: a sampler calls it with x and t alone, so it need not know of them."""

    def __init__(self, network: nn.Module, y: Tensor) -> None:
        super().__init__()
        self.network, self.y = network, y

    def forward(self, x: Tensor, t: Tensor) -> Tensor:  # (B, C, H, W), (B,) → (B, C, H, W)
        if len(x) != len(self.y):  # whose labels would those be?
            raise RunError(
                f"the sampler called the network with {len(x)} images of a batch of {len(self.y)}; expected the whole "
                "batch at every call, as each image has a label (model.num_classes)"
            )
        return self.network(x, t, self.y.to(x.device))
