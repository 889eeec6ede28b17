"""Run the exercise on digits with a small network, and read its log."""

import csv
from pathlib import Path

import torch
from safetensors.torch import load_file

from assignment.ddpm import exercise
from assignment.ddpm.config import load_config
from reference.sampler import DDPMSampler, guided_eps
from tests.support.networks import DiffusionModel

# nothing is measured, so every run is the same
PLAIN = ("runtime.precision=float32", "runtime.channels_last=false", "runtime.attention=fused", "runtime.compile=false",
         "runtime.threads=1")  # fmt: skip
QUICK = ("model.num_timesteps=50", "data.limit=256", "sampling.num_images=4", "training.epochs=3", "runtime.device=cpu",
         "sampling.every_epochs=0", *PLAIN)  # fmt: skip


def run(folder: Path, *overrides: str, network=DiffusionModel) -> Path:
    """Run the exercise on digits with a small network, in `folder`; returns the run's own folder."""
    config = load_config("configs/digits.yaml", [*QUICK, f"output_dir={folder}", *overrides])
    exercise.run(config, network, DDPMSampler, folder / "run", guided_eps=guided_eps)
    return folder / "run"


def read_log(run_dir: Path) -> list[dict[str, str]]:
    """Everything in log.csv except the times."""
    with open(run_dir / "log.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def same_weights(a: Path, b: Path) -> bool:
    a, b = (load_file(run_dir / "weights.safetensors") for run_dir in (a, b))
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
