"""What each idea buys: networks from a plain ConvNet to a U-Net, all trained alike: `python -m tests.bench.ladder`.

One thread, on a CPU: about ten minutes on the digits, an hour with `--config fashion_mnist`. Leaves trainings in
outputs/ladder/, and goes on where it was stopped; writes tests/bench/results/ladder-<config>.json, from which
docs/students.md has its table, and reference/pictures/ladder-<config>.png.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm import exercise
from assignment.ddpm.config import Config, ModelConfig, load_config
from assignment.ddpm.data import load_images, load_test
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.figures import save_grid
from grader.grading_config import load_grading
from grader.metrics.draw import draw, to_bytes
from grader.metrics.quality import assess
from reference.sampler import DDPMSampler
from tests.bench.results import write
from tests.bench.rungs import ConvNet, ConvNetWithT
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.proof.trained import network_class

SHOWN = 9  # samples of each rung in the picture
COMMON = ("runtime.device=cpu", "runtime.threads=1", "runtime.precision=float32", "runtime.compile=false",
          "runtime.channels_last=false", "runtime.attention=fused", "sampling.num_images=1", "sampling.every_epochs=0",
          "training.resume=true")  # fmt: skip
SETTINGS = {"digits": (), "fashion_mnist": ("training.epochs=1", "data.batch_size=64")}

Network = Callable[[ModelConfig], nn.Module]


def from_the_bank(name: str) -> Network:
    return network_class(BANK / f"{name}.py")


RUNGS: dict[str, Callable[[], Network]] = {
    "four convolutions, without t": lambda: ConvNet,
    "four convolutions, with t": lambda: ConvNetWithT,
    "residual blocks, with t in each": lambda: from_the_bank("right/networks/residual_convnet"),
    "U-Net, without t": lambda: from_the_bank("trained/unet_without_t"),
    "U-Net, with t in each block": lambda: from_the_bank("trained/unet"),
}


def climb(name: str, make: Network, config: Config, run_dir: Path) -> tuple[dict[str, Any], Tensor]:
    """Train a rung, draw as many samples as level 1 does, and measure them."""
    exercise.run(config, make, DDPMSampler, run_dir)
    model = make(config.model)
    about = ckpt.load_weights(model, run_dir / ckpt.WEIGHTS)
    model.eval()
    wanted, shape = load_grading().samples[config.data.name], config.model.image_shape
    with torch.no_grad():
        samples = draw(model, GaussianDiffusion.of(config), wanted.cpu.images, shape, steps=wanted.cpu.steps, seed=0)
    images = load_images(config.data.name, config.data.root, limit=None, shape=shape)
    unseen = load_test(config.data.name, config.data.root, shape=shape)
    found = assess(to_bytes(samples), config.data.name, images.train, images.validation, unseen)
    last = ckpt.read_log(run_dir / ckpt.LOG)[-1]
    return {
        "rung": name, "parameters": sum(p.numel() for p in model.parameters()), "epochs": last["epoch"],
        "steps": int(last["step"]), "seconds": last["seconds"], "validation_loss": float(about["val_loss"]),
        **{key: getattr(found, key) for key in ("fid", "confidence", "damaged", "copies")},
    }, samples  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ladder", description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=SETTINGS, default="digits")
    parser.add_argument("--seed", type=int, default=0, help="of the trainings")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows, shown = [], []
    for number, (name, make) in enumerate(RUNGS.items(), start=1):
        folder = ROOT / "outputs" / "ladder" / f"{args.config}-{number}"
        settings = [*COMMON, *SETTINGS[args.config], f"training.seed={args.seed}", f"output_dir={folder}"]
        config = load_config(ROOT / "configs" / f"{args.config}.yaml", settings)
        row, samples = climb(name, make(), config, folder / "run")
        print(row, flush=True)
        rows.append(row)
        shown.append(samples[:SHOWN])
    device, settings = torch.device("cpu"), [*SETTINGS[args.config], f"training.seed={args.seed}"]
    print(write(f"ladder-{args.config}.json", device, {"settings": settings, "rungs": rows}))
    picture = ROOT / "reference" / "pictures" / f"ladder-{args.config}.png"
    save_grid(torch.cat(shown), picture, columns=SHOWN, beside=list(RUNGS))
    print(picture)


if __name__ == "__main__":
    main()
