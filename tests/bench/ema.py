"""Which decay of the moving average validates best? One training with several averages, for three seeds.

    uv run python -m tests.bench.ema

Writes tests/bench/results/ema-<config>-<device>.json: validation loss by decay (0: the weights themselves) and seed.
"""

import argparse
from pathlib import Path

import torch

from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images, shuffled_batches
from assignment.ddpm.device import choose_device, half_precision
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.runner import Runner, Setting
from assignment.ddpm.seeds import derive_seed
from assignment.ddpm.trainer import MovingAverage, Trainer
from assignment.ddpm.validation import freeze_triples, validation_loss
from reference.model import DiffusionModel
from tests.bench.results import write

DECAYS = (0.0, 0.99, 0.995, 0.999, 0.9995)
SEEDS = (0, 1, 2)


def train_once(config, seed: int, device: torch.device) -> dict[float, float]:
    """Validation loss of each average after `config.training.epochs`."""
    c, size = config.model.image_channels, config.model.image_size
    images = load_images(config.data.name, config.data.root, limit=config.data.limit, shape=(c, size, size))
    diffusion = GaussianDiffusion(device=device)
    setting = Setting(half_precision(device).value or torch.float32)
    torch.manual_seed(seed)
    runner = Runner(DiffusionModel(config.model).to(device), setting)
    trainer = Trainer(runner, diffusion, learning_rate=config.training.learning_rate, ema_decay=0.0, fused=True)
    averages = {decay: MovingAverage(runner.model, decay) for decay in DECAYS}

    for epoch in range(config.training.epochs):
        order = derive_seed("order", seed, epoch)
        for (x_0,) in shuffled_batches(images.train.to(device), config.data.batch_size, device, seed=order):
            trainer.step(x_0, seed=seed)
            for average in averages.values():
                average.update(trainer.step_count)
    triples = freeze_triples(images.validation, 1000, device)
    return {
        decay: validation_loss(Runner(average.model, setting), diffusion, triples, 128)
        for decay, average in averages.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/digits.yaml")
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_args()
    config = load_config(args.config, args.overrides)
    device = choose_device(config.runtime.device).value
    by_seed = {}
    for seed in SEEDS:
        by_seed[seed] = train_once(config, seed, device)
        print(
            f"seed {seed}: " + "  ".join(f"{decay:g}: {loss:.5f}" for decay, loss in by_seed[seed].items()), flush=True
        )
    mean = {decay: sum(losses[decay] for losses in by_seed.values()) / len(SEEDS) for decay in DECAYS}
    figures = {"epochs": config.training.epochs, "mean": mean, "by_seed": by_seed}
    print(write(f"ema-{Path(args.config).stem}-{device.type}.json", device, figures))


if __name__ == "__main__":
    main()
