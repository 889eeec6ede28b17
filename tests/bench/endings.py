"""What main.py says at the end of a training, of every network in the bank: `python -m tests.bench.endings`.

Each is trained on the digits for a few epochs, on one thread. None of the right ones may get a warning. Half an hour;
resumes where it stopped. The result goes to tests/bench/results/endings.json, which docs/evidence.md shows.
"""

import argparse
import io
import sys
import tempfile
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import torch

from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.endings import explain
from assignment.ddpm.milestones import load_milestones
from assignment.ddpm.runner import Runner
from assignment.ddpm.symptoms import EXAMINED, examine
from assignment.ddpm.trainer import Trainer
from assignment.ddpm.training import fit
from assignment.ddpm.validation import freeze_triples
from tests.bench.results import load, write
from tests.proof.bank import Entry, entries
from tests.proof.trained import DIGITS, network_class

EPOCHS = 10
NAME = "endings.json"


def ending(entry: Entry, folder: Path) -> dict:
    """Train a network; what was measured of it, and what main.py would say."""
    config = load_config(DIGITS, [f"training.epochs={EPOCHS}", "runtime.device=cpu"])
    diffusion = GaussianDiffusion.of(config)
    images = load_images("digits", config.data.root, limit=None, shape=config.model.image_shape)
    torch.manual_seed(config.training.seed)
    sys.stderr = io.StringIO()
    try:
        model = network_class(entry.file)(config.model)
        trainer = Trainer(Runner(model), diffusion, learning_rate=1e-3, ema_decay=0.999, fused=False)
        rows = fit(
            trainer, images, run_dir=folder, identity={}, about={}, epochs=EPOCHS, batch_size=config.data.batch_size,
            seed=0, max_minutes=2, checkpoint_minutes=9, on_epoch=lambda epoch, averaged: None,
        )  # fmt: skip
        triples = freeze_triples(images.validation[:EXAMINED], diffusion.num_timesteps, diffusion.device)
        found = examine(trainer.averaged_runner(), diffusion, triples, config.data.batch_size)
    except Exception as error:  # a wrong network may fail anywhere
        return {"stopped": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    log = [(row["epoch"], row["train_loss"], row["val_loss"]) for row in rows]
    says = explain(log, trainer.step_count, found, load_milestones("digits", config), "make test-level1")
    losses = [[round(value, 5) for value in row] for row in log]
    symptoms = {name: float(f"{value:.5g}") for name, value in asdict(found).items()}
    return {"losses": losses, "steps": trainer.step_count, "found": symptoms, "says": says}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.endings", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="networks with this in their name")
    args = parser.parse_args()
    torch.set_num_threads(1)
    networks = (load(NAME) or {"networks": {}})["networks"]
    for entry in entries():
        if entry.level != 1 or entry.name in networks or args.only not in entry.name:
            continue
        # each in a process of its own: some change what holds for a whole process
        with tempfile.TemporaryDirectory() as folder, get_context("fork").Pool(1) as pool:
            networks[entry.name] = {"caught_by": entry.caught_by, **pool.apply(ending, (entry, Path(folder)))}
        print(entry.name, networks[entry.name].get("says", networks[entry.name].get("stopped")), flush=True)
        write(NAME, torch.device("cpu"), {"epochs": EPOCHS, "networks": networks})


if __name__ == "__main__":
    main()
