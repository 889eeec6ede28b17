"""The first calls of a network and a sampler, before hours are spent on training: mistakes in one clear line."""

import inspect

import torch
from torch import Tensor, nn

from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import RunError
from assignment.ddpm.guidance import Guidance, WithLabels
from assignment.ddpm.sampling import Sampler, check_samples


def check_network(
    model: nn.Module, shape: tuple[int, int, int], diffusion: GaussianDiffusion, num_classes: int | None = None
) -> None:
    """Check the contract on two noise images: same shape back. Raises RunError; the network's own exceptions pass."""
    x = torch.randn(2, *shape, device=diffusion.device)  # (2, C, H, W)
    t = torch.tensor([0, diffusion.num_timesteps - 1], device=diffusion.device)  # (2,): both ends, e.g. of a table
    calls = [(x, t)] if num_classes is None else _with_labels(model, x, t, num_classes)
    for arguments in calls:
        with torch.no_grad():  # only the shape is asked for
            eps_hat = model.eval()(*arguments)  # eval, so that batch norm's statistics don't learn from noise
        if not isinstance(eps_hat, Tensor) or eps_hat.shape != x.shape:
            got = tuple(eps_hat.shape) if isinstance(eps_hat, Tensor) else type(eps_hat).__name__
            raise RunError(f"DiffusionModel.forward must return a tensor of x's shape {tuple(x.shape)}, got {got}")
    # layers kept in a plain list or dict are invisible to nn.Module: use nn.ModuleList, nn.ModuleDict
    if not any(p.requires_grad for p in model.parameters()):
        raise RunError("DiffusionModel has no trainable parameters: are its layers attributes of the module?")


def _with_labels(model: nn.Module, x: Tensor, t: Tensor, num_classes: int) -> list[tuple[Tensor, ...]]:
    """All calls that a network with classes is to answer: with labels, with "no class", and without any."""
    y = torch.tensor([0, num_classes - 1], device=x.device)  # (2,): both ends again
    calls = [(x, t, y), (x, t, torch.full_like(y, num_classes)), (x, t)]
    for arguments in calls:
        try:
            inspect.signature(model.forward).bind(*arguments)
        except TypeError as error:
            raise RunError(
                f"model.num_classes={num_classes}: DiffusionModel has forward{inspect.signature(model.forward)}; "
                f"expected forward(x, t, y=None), with labels y (B,) in [0, {num_classes}], {num_classes} for no class"
            ) from error
    if x.device.type == "cpu":  # on a GPU an index that is out of range ends the process
        try:
            with torch.no_grad():
                model.eval()(*calls[1])
        except IndexError as error:
            raise RunError(
                f"model.num_classes={num_classes}: DiffusionModel.forward fails for y = {num_classes}, no class; "
                f"expected {num_classes + 1} embeddings, one more than classes ({error})"
            ) from error
    return calls


class _Silence(nn.Module):
    """A network that predicts no noise."""

    def forward(self, x: Tensor, t: Tensor, *y: Tensor) -> Tensor:
        return torch.zeros_like(x)  # (B, C, H, W)


def check_sampler(
    sampler: Sampler, shape: tuple[int, int, int], device: torch.device, guidance: Guidance | None
) -> None:
    """Draw two images of no network's. Raises RunError, as `check_samples`; the sampler's own exceptions pass."""
    silent: nn.Module = _Silence()
    if guidance:
        silent = WithLabels(guidance.of(silent), torch.arange(2, device=device))
    check_samples(sampler.sample(silent, (2, *shape)), (2, *shape))
