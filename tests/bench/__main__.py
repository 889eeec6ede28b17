"""Training and sampling speed against a plain baseline, in one run: `make bench`.

    uv run python -m tests.bench --config configs/digits.yaml [--steps 12] [--sampling-steps 1000] [--beside 4] […]

With `--beside 4` four other processes compete for the cores, as on a shared server. Both variants train the same
network on the same images, in separate processes (for their peak memory), in turn, so that a machine that slows down
slows both. Writes tests/bench/results/<config>-<device>.json, or busy-<config>-…, and prints a table.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from assignment.ddpm.config import Config, load_config
from assignment.ddpm.data import load_images, place, shuffled_batches
from assignment.ddpm.device import choose_device
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import run_command
from assignment.ddpm.exercise import code_hash, make_runner
from assignment.ddpm.runner import threads
from assignment.ddpm.sampling import draw_samples
from assignment.ddpm.trainer import Trainer
from reference.model import DiffusionModel
from reference.sampler import DDPMSampler
from tests.bench import baseline
from tests.bench.results import write
from tests.support.busy import busy_processes

ROUNDS = 3
LONG_RUN = 10**6  # steps: long enough that measuring and compiling pay off
WARM_UP = 3  # untimed steps: compilation, caches, workers
NUM_IMAGES = 64  # sampled
SPINNING = {"GOMP_SPINCOUNT": "300000"}  # libgomp's default, for the plain variant; our own threads sleep
BUSY_BEFORE = 45  # seconds of load before the first round, so that the load average shows it


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds taken, with the device's queue empty before and after."""
    synchronize = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    synchronize()
    start = time.perf_counter()
    work()
    synchronize()
    return time.perf_counter() - start


def our_training_steps(trainer: Trainer, images: torch.Tensor, batch_size: int, device: torch.device) -> Iterator[None]:
    images = place(images, device)
    trainer.runner.train()
    while True:
        for (x_0,) in shuffled_batches(images, batch_size, device, seed=trainer.step_count):
            yield trainer.step(x_0, seed=0)


def measure(variant: str, config: Config, steps: int, sampling_steps: int) -> dict:
    """One round of one variant, in this process."""
    device = choose_device(config.runtime.device).value
    m, batch = config.model, config.data.batch_size
    shape = m.image_shape
    images = load_images(config.data.name, config.data.root, limit=config.data.limit, shape=shape).train
    torch.manual_seed(0)
    model = DiffusionModel(m).to(device)
    diffusion, short = GaussianDiffusion(device=device), GaussianDiffusion(sampling_steps, device=device)

    choices = {}
    if variant == "ours":
        runner = make_runner(model, config, (batch, *shape), device, steps=LONG_RUN, code=code_hash(DiffusionModel))
        choices = {"setting": f"{runner.setting}; samples: {runner.sampling}"}
        trainer = Trainer(runner, diffusion, learning_rate=1e-3, ema_decay=0.999, fused=config.training.fused_optimizer)
        training = our_training_steps(trainer, images, batch, device)

        def sample() -> None:
            drawing = runner.for_sampling()
            with threads(drawing.setting.threads):
                draw_samples(
                    DDPMSampler(short, device), drawing, NUM_IMAGES, shape,
                    num_timesteps=sampling_steps, device=device, seed=0,
                )  # fmt: skip
    else:
        training = baseline.training_steps(model, images, batch, device)

        def sample() -> None:
            baseline.sample(model, (NUM_IMAGES, *shape), device, sampling_steps)

    for _ in range(WARM_UP):
        next(training)
    seconds = timed(lambda: [next(training) for _ in range(steps)], device)
    peak = peak_memory(device)
    training.close()  # ends the baseline's workers
    model.eval()
    if device.type == "cuda":
        sample()  # compilation
    sampling_seconds = timed(sample, device)
    return {
        "images_per_second": steps * batch / seconds,
        "sampling_steps_per_second": NUM_IMAGES * sampling_steps / sampling_seconds,
        "peak_memory_mib": peak / 2**20,
        **choices,
    }


def peak_memory(device: torch.device) -> int:
    """Peak memory in bytes: of the GPU, else of this process and its largest worker."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    kib = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return kib if sys.platform == "darwin" else 1024 * kib  # macOS counts bytes


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a plain matrix product: the machine's limit in this dtype."""
    size, repeats = (8192, 50) if device.type == "cuda" else (2048, 5)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    timed(lambda: a @ b, device)
    return max(repeats * 2 * size**3 / timed(lambda: [a @ b for _ in range(repeats)], device) for _ in range(3))


def forward_flops(config: Config) -> int:
    """Floating-point operations of the network on one image, counted by torch."""
    m = config.model
    x, t = torch.randn(1, *m.image_shape), torch.zeros(1, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        DiffusionModel(m).eval()(x, t)
    return counter.get_total_flops()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/digits.yaml")
    parser.add_argument("--steps", type=int, default=12, help="timed training steps per round")
    parser.add_argument("--sampling-steps", type=int, default=1000, help="timed, of the 1000; each costs the same")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--beside", type=int, default=0, metavar="N", help="busy processes that compete for the cores")
    parser.add_argument("--variant", choices=("baseline", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", metavar="key.path=value")
    args = parser.parse_args()
    config = load_config(args.config, args.overrides)
    if args.variant:
        print(json.dumps(measure(args.variant, config, args.steps, args.sampling_steps)))
        return

    rounds: dict[str, list[dict]] = {"baseline": [], "ours": []}
    with busy_processes(args.beside, before=BUSY_BEFORE):
        for i in range(args.rounds):
            for variant, results in rounds.items():
                print(f"round {i + 1} of {args.rounds}: {variant}", file=sys.stderr, flush=True)
                command = [sys.executable, "-m", "tests.bench", *sys.argv[1:], "--variant", variant]
                env = os.environ | (SPINNING if variant == "baseline" else {})
                out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout
                results.append(json.loads(out.splitlines()[-1]))

    device = choose_device(config.runtime.device).value
    middle = {
        variant: {
            key: statistics.median(r[key] for r in results) for key in results[0] if isinstance(results[0][key], float)
        }
        for variant, results in rounds.items()
    }
    chosen = {result["setting"] for result in rounds["ours"]}
    precision = next(iter(chosen)).split(",")[0].split(";")[0]
    ceiling, flops = matmul_rate(device, getattr(torch, precision)), forward_flops(config)
    for variant in middle.values():
        # a backward pass costs two forward passes
        variant["share_of_matmul_rate"] = 3 * flops * variant["images_per_second"] / ceiling
    ratio = {key: middle["ours"][key] / middle["baseline"][key] for key in middle["ours"]}
    figures = {
        "config": Path(args.config).stem, "batch_size": config.data.batch_size, "steps": args.steps,
        "rounds": args.rounds, "beside": args.beside,
        "sampling_steps": args.sampling_steps, "setting": sorted(chosen),
        "matmul_precision": precision, "matmul_gflops": ceiling / 1e9, "forward_gflop_per_image": flops / 1e9,
        **middle, "ratio": ratio, "all_rounds": rounds,
    }  # fmt: skip
    busy = "busy-" if args.beside else ""
    path = write(f"{busy}{figures['config']}-{device.type}.json", device, figures)
    print(table(figures))
    print(f"written to {path}")


def table(figures: dict) -> str:
    """A Markdown table of one result file."""
    part = f"{figures['sampling_steps']} of 1000 steps" if figures["sampling_steps"] < 1000 else "1000 steps"
    rows = {
        "images_per_second": ("training, images/s", ",.1f"),
        "sampling_steps_per_second": (f"sampling {NUM_IMAGES} images, {part}, images × steps/s", ",.1f"),
        "peak_memory_mib": ("peak memory while training, MiB", ",.0f"),
        "share_of_matmul_rate": (f"share of the machine's {figures['matmul_precision']} matmul rate", ".0%"),
    }
    lines = [
        f"| {figures['config']}, batch {figures['batch_size']} | plain baseline | ours | ratio |",
        "|---|---:|---:|---:|",
    ]
    for key, (name, form) in rows.items():
        plain, ours = figures["baseline"][key], figures["ours"][key]
        lines.append(f"| {name} | {plain:{form}} | {ours:{form}} | {figures['ratio'][key]:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_command(main))
