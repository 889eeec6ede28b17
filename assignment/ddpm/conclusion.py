"""The last lines of a training: where it stands beside the reference, what went wrong if something did, what next."""

from typing import Any

import torch
from torch import nn

from assignment.ddpm.config import Config
from assignment.ddpm.data import Images
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.endings import explain, still_falling
from assignment.ddpm.milestones import Milestones, beside
from assignment.ddpm.runner import Runner
from assignment.ddpm.symptoms import EXAMINED, Symptoms, examine
from assignment.ddpm.validation import freeze_triples


def conclude(
    rows: list[dict[str, Any]],
    runner: Runner,
    diffusion: GaussianDiffusion,
    images: Images,
    config: Config,
    milestones: Milestones | None,
    grade: str,
) -> list[str]:
    """Sentences about a training that has just ended.

    Args:
        rows: of its log.csv
        runner: of the network with the weights that were kept
        grade: the command that looks at the network
    """
    log = [(row["epoch"], row["train_loss"], row["val_loss"]) for row in rows]
    wrong = explain(log, rows[-1]["step"], _examined(runner, diffusion, images, config), milestones, grade)
    parameters, says = count_parameters(runner), []
    if milestones:
        says.append(beside(log, milestones, parameters, all_images=config.data.limit is None))
    if wrong:
        return says + wrong
    return says + ([more] if (more := still_falling(log)) else [])


def count_parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _examined(runner: Runner, diffusion: GaussianDiffusion, images: Images, config: Config) -> Symptoms | None:
    """None where that fails: the network is a student's, and has answered so far only as it was asked in training."""
    triples = freeze_triples(
        images.validation[:EXAMINED], diffusion.num_timesteps, diffusion.device,
        labels=None if images.validation_labels is None else images.validation_labels[:EXAMINED],
    )  # fmt: skip
    torch.manual_seed(config.training.seed)  # of dropout
    try:
        return examine(runner.uncompiled(), diffusion, triples, config.data.batch_size)
    except Exception:
        return None
