"""What a trained network does on validation images, measured to say why a training has not succeeded."""

import copy
from dataclasses import dataclass, replace

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
    by_label: float | None = None  # as by_t, when each image gets another class; None where there are none


@torch.no_grad()
def examine(network: Runner, diffusion: GaussianDiffusion, triples: FrozenTriples, batch_size: int) -> Symptoms:
    """Measure a network, whose weights and statistics stay as they are."""
    t = triples.t[:EXAMINED]  # (N,)
    x_0, noise = (values[:EXAMINED].to(t.device) for values in (triples.images, triples.noise))  # (N, C, H, W)
    x_t, batches = diffusion.q_sample(to_float(x_0), t, noise), range(0, len(t), batch_size)

    def answers(model: Runner, t: Tensor, triples: FrozenTriples = triples) -> Tensor:  # (N, C, H, W)
        parts = [slice(i, i + batch_size) for i in batches]
        return torch.cat([model(x_t[part], t[part], *triples.labels_of(part)) for part in parts])

    def apart(others: Tensor) -> float:
        return ((others - y).double().square().mean() / y.double().square().mean().clamp(min=1e-24)).sqrt().item()

    y, by_label = answers(network.eval(), t), None
    by_t = apart(answers(network, diffusion.num_timesteps - 1 - t))
    if triples.labels is not None:  # 0 → 1, all others → 0
        by_label = apart(answers(network, t, replace(triples, labels=(triples.labels == 0).long())))
    training = network.uncompiled(copy.deepcopy(network.model)).train()  # a copy: batch norm counts what it sees
    # a single image has no batch statistics, and batch norm refuses it
    loss_in_train_mode = F.mse_loss(answers(training, t), noise).item() if len(t) % batch_size != 1 else float("nan")
    return Symptoms(
        noise.square().mean().item(), y.min().item(), y.max().item(), by_t, F.mse_loss(y, noise).item(),
        loss_in_train_mode, by_label,
    )  # fmt: skip
