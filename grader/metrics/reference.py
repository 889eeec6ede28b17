"""The reference network with recorded weights, and its losses on triples."""

from pathlib import Path

import torch
from torch import Tensor

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm.config import ModelConfig
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.progress import progress_bar
from assignment.ddpm.runner import Runner
from grader.metrics.triples import Triples, losses

BATCH = {"cpu": 64, "mps": 256, "cuda": 1024}


def load_network(config: ModelConfig, file: Path, device: torch.device) -> tuple[Runner, dict[str, str]]:
    """The network and the facts stored with its weights, which are rounded to bfloat16, as shipped, and run in float32.

    Raises UserError if they do not fit.
    """
    from reference.model import DiffusionModel  # and with it diffusers, which takes a second

    model = DiffusionModel(config)
    about = ckpt.load_weights(model, file)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16().float())
    return Runner(model.to(device).eval().requires_grad_(False)), about


@torch.no_grad()
def measure_losses(
    network: Runner, diffusion: GaussianDiffusion, triples: Triples, device: torch.device, what: str,
    *, labels: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The loss on each triple, (N,) float64; with labels (N,), of a network that is told them.

    `what` is being measured, for who is waiting.
    """
    with progress_bar(len(triples.t), "triples", what) as bar:
        return losses(
            lambda *asked: network(*(each.to(device) for each in asked)).cpu(), diffusion, triples, labels=labels,
            batch_size=BATCH[device.type], progress=bar.update,
        )  # fmt: skip
