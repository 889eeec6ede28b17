"""Training the reference in sittings: each resumes where the previous one stopped, and logs what it did."""

import json
import time
from pathlib import Path
from typing import Any

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm import exercise
from assignment.ddpm.autotune import tune
from assignment.ddpm.config import Config
from assignment.ddpm.device import choose_device
from assignment.ddpm.files import replacing
from assignment.ddpm.runner import Runner
from assignment.ddpm.training import Start
from grader import ROOT
from grader.metrics.machine import machine
from grader.metrics.record import load_record
from reference.model import DiffusionModel
from reference.sampler import DDPMSampler, guided_eps

MILESTONES = (1, 2, 5, 10, 20, 50, 100, 200)  # epochs after which the weights are saved, to be judged later
RUN, SITTINGS = "run", "sittings.json"


def sit(name: str, config: Config, folder: Path, *, anew: bool) -> None:
    """Train to the end, or for this sitting; saves the weights at the milestones.

    Starts from the run's own checkpoint in `folder`, else from the shipped weights, else (or with `anew`) from random
    ones. Every epoch is logged when it is done, so a sitting that is killed is recorded as far as it got.
    """
    start = None
    if (folder / RUN / ckpt.CHECKPOINT).exists():
        earlier = read_sittings(folder)
    else:
        start, earlier = (None, []) if anew else _shipped(name, config)
    done = earlier[-1]["to_epoch"] if earlier else 0
    started, about = time.monotonic(), machine(choose_device(config.runtime.device).value)

    def after(epoch: int, averaged: Runner) -> None:
        if epoch in MILESTONES:
            ckpt.save_weights(averaged.model, folder / f"epoch-{epoch:04d}.safetensors", epoch=epoch)
        sitting = {
            "from_epoch": done,
            "to_epoch": epoch,
            "seconds": round(time.monotonic() - started),
            "machine": about,
        }
        with replacing(folder / SITTINGS) as temporary:
            temporary.write_text(json.dumps([*earlier, sitting], indent=1) + "\n")

    exercise.run(config, DiffusionModel, DDPMSampler, folder / RUN, guided_eps=guided_eps, start=start, on_epoch=after)


def estimate(name: str, config: Config, folder: Path, images: int) -> str:
    """How many epochs remain, and about how many minutes they take on this machine."""
    begun_before = (folder / RUN / ckpt.CHECKPOINT).exists()
    earlier = read_sittings(folder) if begun_before else _shipped(name, config)[1]
    epochs = config.training.epochs - (earlier[-1]["to_epoch"] if earlier else 0)
    batch = min(config.data.batch_size, images)
    m, steps = config.model, images // batch
    device = choose_device(config.runtime.device).value
    tuned = tune(
        DiffusionModel(m).to(device), config.runtime, (batch, *m.image_shape), device,
        steps=config.training.epochs * steps, about=(exercise.code_hash(DiffusionModel), vars(m)),
        num_classes=m.num_classes,
    )  # fmt: skip
    if tuned.step_seconds is None:
        return f"{epochs} epochs to train"
    return f"{epochs} epochs to train, about {max(1, epochs * steps * tuned.step_seconds / 60):.0f} min on this machine"


def read_sittings(folder: Path) -> list[dict[str, Any]]:
    """The sittings so far, from first to last; empty if none was logged."""
    file = folder / SITTINGS
    return json.loads(file.read_text()) if file.exists() else []


def _shipped(name: str, config: Config) -> tuple[Start | None, list[dict[str, Any]]]:
    """The shipped weights of an unfinished training with this seed, and its sittings; otherwise nothing."""
    record = load_record(name)
    if record is None or record.chosen["seed"] != config.training.seed:
        return None, []
    file, epochs = ROOT / record.figures["weights"], int(record.chosen["kept_epoch"])
    if not file.is_file() or not 0 < epochs < config.training.epochs:
        return None, []
    *before, last = [sitting for sitting in record.chosen["sittings"] if sitting["from_epoch"] < epochs]
    return Start(file, epochs), [*before, {**last, "to_epoch": epochs}]
