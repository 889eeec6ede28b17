"""The paired comparison against the exercise's plain validation pass: standard error of the difference, and time.

    uv run python -m tests.bench.paired [--config configs/digits.yaml] --model model.py --weights weights.safetensors

Compares a student's network with the shipped reference. The plain pass draws fresh t and noise for every image, for
each network; its error is the standard deviation of many such passes.
"""

import argparse
import sys
import time
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn

from assignment.ddpm.checkpoint import load_weights
from assignment.ddpm.config import load_config
from assignment.ddpm.data import Images, load_images, to_float
from assignment.ddpm.device import choose_device
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.checks.beats_reference import compare
from grader.metrics.record import WEIGHTS
from grader.metrics.triples import draw_triples, losses, widths
from reference.model import DiffusionModel
from tests.bench.results import write
from tests.conftest import ROOT
from tests.proof.trained import network_class

BATCH = 256
PASSES = 20


@torch.no_grad()
def plain_pass(model: nn.Module, diffusion: GaussianDiffusion, images: torch.Tensor) -> float:
    """Mean loss over all images, with fresh t and noise for each."""
    total = 0.0
    for part in images.split(BATCH):
        x_0 = to_float(part.to(diffusion.device))
        t = torch.randint(diffusion.num_timesteps, (len(x_0),), device=x_0.device)
        noise = torch.randn_like(x_0)
        total += F.mse_loss(model(diffusion.q_sample(x_0, t, noise), t), noise, reduction="sum").item()
    return total / images.numel()


def measure(student: nn.Module, reference: nn.Module, diffusion: GaussianDiffusion, images: Images) -> dict:
    start = time.perf_counter()
    passes = torch.tensor(
        [[plain_pass(model, diffusion, images.validation) for model in (student, reference)] for _ in range(PASSES)]
    )
    plain_seconds = (time.perf_counter() - start) / PASSES
    relative = (passes[:, 0] - passes[:, 1]) / passes[:, 1].mean()

    triples = draw_triples(images.validation, diffusion.num_timesteps, 0, part="validation")
    start = time.perf_counter()
    with torch.no_grad():
        of_student = losses(lambda x, t: student(x, t), diffusion, triples, batch_size=BATCH)
    student_seconds = time.perf_counter() - start
    with torch.no_grad():
        of_reference = losses(lambda x, t: reference(x, t), diffusion, triples, batch_size=BATCH)
    found = compare(of_student, of_reference, triples.bins, widths(), triples.index)
    return {
        "plain": {"images": len(images.validation), "passes": PASSES, "seconds": plain_seconds,
                  "relative_difference": relative.mean().item(), "standard_error_of_a_pass": relative.std().item()},
        "paired": {"triples": len(triples.t), "seconds": student_seconds, "relative_difference": found.relative,
                   "standard_error": found.error},
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.paired", description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "digits.yaml")
    parser.add_argument("--model", type=Path, default=Path("outputs/calibration/beats-0/handed in/model.py"))
    parser.add_argument("--weights", type=Path, default=Path("outputs/calibration/beats-0/run/weights.safetensors"))
    args = parser.parse_args()
    config = load_config(args.config)
    device, m = choose_device(config.runtime.device).value, config.model
    torch.manual_seed(0)
    diffusion = GaussianDiffusion.of(config, device)
    images = load_images(config.data.name, config.data.root, limit=None, shape=m.image_shape)
    student, reference = network_class(args.model)(m), DiffusionModel(m)
    load_weights(student, args.weights)
    reference.load_state_dict(safetensors.torch.load_file(WEIGHTS / f"{args.config.stem}.safetensors"))
    result = measure(student.to(device).eval(), reference.to(device).eval(), diffusion, images)
    path = write(f"paired-{args.config.stem}-{device.type}.json", device, {"config": args.config.stem, **result})
    print(path.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
