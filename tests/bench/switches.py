"""What each switch of the runtime gains on this machine: `python -m tests.bench.switches --config configs/digits.yaml`.

One process trains the reference with one switch changed at a time, from the plainest setting on. Writes
tests/bench/results/switches-<config>-<device>.json; DECISIONS.md draws the defaults from it.
"""

import argparse
import time
from pathlib import Path

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
    "bfloat16": {"precision": torch.bfloat16},
    "float16": {"precision": torch.float16},
    "compile": {"compile": True},
    "bfloat16 + channels_last": {"precision": torch.bfloat16, "channels_last": True},
    "bfloat16 + compile": {"precision": torch.bfloat16, "compile": True},
    "all": {"precision": torch.bfloat16, "channels_last": True, "compile": True, "fused": True},
}


def measure(config: Config, device: torch.device, steps: int, options: dict) -> dict[str, float]:
    """Images a second in training and in a forward pass, and the seconds before the first step was done."""
    options = {**PLAIN, **options}
    fused = options.pop("fused")
    torch.manual_seed(0)
    runner = Runner(DiffusionModel(config.model).to(device), **options)
    trainer = Trainer(runner, GaussianDiffusion(device=device), learning_rate=1e-3, ema_decay=0.999, fused=fused)
    batch, m = config.data.batch_size, config.model
    x = torch.randn(batch, m.image_channels, m.image_size, m.image_size, device=device)
    t = torch.zeros(batch, dtype=torch.long, device=device)

    started = time.perf_counter()
    trainer.step(x, seed=0)
    first = time.perf_counter() - started
    trainer.step(x, seed=0)
    training = timed(lambda: [trainer.step(x, seed=0) for _ in range(steps)], device)
    runner.eval()
    with torch.no_grad():
        runner(x, t)
        forward = timed(lambda: [runner(x, t) for _ in range(steps)], device)
    return {"training": steps * batch / training, "forward": steps * batch / forward, "first_step_seconds": first}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.switches", description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/digits.yaml")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=SWITCHES, default=list(SWITCHES))
    parser.add_argument("overrides", nargs="*", metavar="key.path=value")
    args = parser.parse_args()
    config = load_config(args.config, args.overrides)
    device = choose_device(config.runtime.device).value
    results = {}
    for name in args.only:
        results[name] = measure(config, device, args.steps, SWITCHES[name])
        print(f"{name:26} " + "  ".join(f"{key} {value:,.1f}" for key, value in results[name].items()), flush=True)
    figures = {"batch_size": config.data.batch_size, "images_per_second": results}
    print(write(f"switches-{Path(args.config).stem}-{device.type}.json", device, figures))


if __name__ == "__main__":
    main()
