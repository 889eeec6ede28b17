"""What a trained network does on validation images, measured to say why a training has not succeeded."""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from assignment.ddpm.data import to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.runner import Runner
from assignment.ddpm.validation import FrozenTriples

EXAMINED = 256  # triples, at most


@dataclass(frozen=True)
class Symptoms:
    nothing: float  # the loss of predicting no noise at all: about 1, the noise's variance
    lowest: float  # of all predicted pixels
    highest: float
    by_t: float  # how much the answers change when each image gets the t of the other end, relative to their size
    loss: float  # in eval mode
    loss_in_train_mode: float  # of the same triples, in batches as in training


@torch.no_grad()
def examine(network: Runner, diffusion: GaussianDiffusion, triples: FrozenTriples, batch_size: int) -> Symptoms:
    """Measure a network, whose weights and statistics stay as they are."""
    t = triples.t[:EXAMINED]  # (N,)
    x_0, noise = (values[:EXAMINED].to(t.device) for values in (triples.images, triples.noise))  # (N, C, H, W)
    x_t, batches = diffusion.q_sample(to_float(x_0), t, noise), range(0, len(t), batch_size)

    def answers(model: Runner, t: Tensor) -> Tensor:
        return torch.cat([model(x_t[i : i + batch_size], t[i : i + batch_size]) for i in batches])  # (N, C, H, W)

    y = answers(network.eval(), t)
    turned = answers(network, diffusion.num_timesteps - 1 - t)
    apart = (turned - y).double().square().mean().sqrt() / y.double().square().mean().sqrt().clamp(min=1e-12)
    training = network.uncompiled(copy.deepcopy(network.model)).train()  # a copy: batch norm counts what it sees
    # a single image has no batch statistics, and batch norm refuses it
    loss_in_train_mode = F.mse_loss(answers(training, t), noise).item() if len(t) % batch_size != 1 else float("nan")
    return Symptoms(
        noise.square().mean().item(), y.min().item(), y.max().item(), apart.item(), F.mse_loss(y, noise).item(),
        loss_in_train_mode,
    )  # fmt: skip
