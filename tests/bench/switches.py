"""What each switch of the runtime gains on this machine: `python -m tests.bench.switches --config configs/digits.yaml`.

The reference is trained under each setting in turn, round by round; the median counts. Writes
tests/bench/results/switches-<config>-<device>.json; DECISIONS.md draws the defaults from it.
"""

import argparse
import os
import statistics
from pathlib import Path

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # the first step is to show what compiling costs

import torch

from assignment.ddpm.config import Config, load_config
from assignment.ddpm.device import Runner, choose_device
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.trainer import Trainer
from reference.model import DiffusionModel
from tests.bench.__main__ import timed
from tests.bench.results import write

PLAIN = {"precision": torch.float32, "channels_last": False, "compile": False, "fused": False}
SWITCHES = {
    "plain": {},
    "fused": {"fused": True},
    "channels_last": {"channels_last": True},
    "fused + channels_last": {"fused": True, "channels_last": True},
    "compile": {"compile": True},
    "bfloat16": {"precision": torch.bfloat16},
    "float16": {"precision": torch.float16},
    "bfloat16 + channels_last": {"precision": torch.bfloat16, "channels_last": True},
    "bfloat16 + compile": {"precision": torch.bfloat16, "compile": True},
    "all with bfloat16": {"precision": torch.bfloat16, "channels_last": True, "compile": True, "fused": True},
}


class Variant:
    """The reference network and its training under one setting."""

    def __init__(self, config: Config, device: torch.device, options: dict) -> None:
        options = {**PLAIN, **options}
        fused = options.pop("fused")
        torch.manual_seed(0)
        self.device = device
        self.runner = Runner(DiffusionModel(config.model).to(device), **options)
        diffusion = GaussianDiffusion(device=device)
        self.trainer = Trainer(self.runner, diffusion, learning_rate=1e-3, ema_decay=0.999, fused=fused)
        m = config.model
        self.x = torch.randn(config.data.batch_size, m.image_channels, m.image_size, m.image_size, device=device)
        self.t = torch.zeros(config.data.batch_size, dtype=torch.long, device=device)

    def training(self, steps: int) -> float:
        """Seconds."""
        self.runner.train()
        return timed(lambda: [self.trainer.step(self.x, seed=0) for _ in range(steps)], self.device)

    @torch.no_grad()
    def forward(self, steps: int) -> float:
        """Seconds."""
        self.runner.eval()
        return timed(lambda: [self.runner(self.x, self.t) for _ in range(steps)], self.device)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.switches", description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/digits.yaml")
    parser.add_argument("--steps", type=int, default=15, help="timed in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=SWITCHES, default=list(SWITCHES))
    parser.add_argument("overrides", nargs="*", metavar="key.path=value")
    args = parser.parse_args()
    config = load_config(args.config, args.overrides)
    device = choose_device(config.runtime.device).value

    variants = {name: Variant(config, device, SWITCHES[name]) for name in args.only}
    first = {name: variant.training(1) for name, variant in variants.items()}
    for variant in variants.values():
        variant.training(1), variant.forward(2)
    seconds = {name: {"training": [], "forward": []} for name in variants}
    for _ in range(args.rounds):  # turn by turn: a machine that slows down slows all
        for name, variant in variants.items():
            seconds[name]["training"].append(variant.training(args.steps))
            seconds[name]["forward"].append(variant.forward(args.steps))

    images = args.steps * config.data.batch_size
    results = {
        name: {
            **{kind: images / statistics.median(values) for kind, values in by_kind.items()},
            "first_step_seconds": first[name],
        }
        for name, by_kind in seconds.items()
    }
    figures = {"batch_size": config.data.batch_size, "rounds": args.rounds, "images_per_second": results}
    print(write(f"switches-{Path(args.config).stem}-{device.type}.json", device, figures))


if __name__ == "__main__":
    main()
