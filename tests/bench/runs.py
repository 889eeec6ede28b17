"""The documented runs, carried out and timed: `python -m tests.bench.runs`.

On a CPU the short ones, to the end; on a GPU the long ones, for a few minutes each, from which the total is
extrapolated. Leaves pictures and weights in outputs/documented-<config>, and writes
tests/bench/results/runs-<device>.json, from which the table in docs/students.md is generated.
"""

import argparse
import csv
import subprocess
import sys
import time
from pathlib import Path

from assignment.ddpm.config import load_config
from assignment.ddpm.device import choose_device
from tests.bench.results import load, machine, write

T4 = "training.epochs=100 data.batch_size=256"
LARGE = "training.epochs=200 data.batch_size=512 training.learning_rate=2e-3"
RUNS = {
    "cpu": {
        "digits": "",
        "fashion_mnist": "data.limit=6400 training.epochs=2",
        "cifar10": "data.limit=320 training.epochs=1 sampling.num_images=4",
    },
    "cuda": {"fashion_mnist": LARGE, "cifar10": LARGE},
}


def timed_run(config: str, arguments: str, limits: list[str], output_dir: str) -> dict:
    """One documented run: how long it took, and how far it got."""
    command = ["main.py", "--config", f"configs/{config}.yaml", "--solution", *arguments.split()]
    started = time.perf_counter()
    subprocess.run([sys.executable, *command, *limits, f"output_dir={output_dir}"], check=True)
    seconds = time.perf_counter() - started
    with open(Path(output_dir) / f"{config}-solution" / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    epochs, training = float(rows[-1]["epoch"]), float(rows[-1]["seconds"])
    wanted = load_config(f"configs/{config}.yaml", arguments.split()).training.epochs
    return {
        "command": " ".join(command), "seconds": round(seconds, 1), "training_seconds": training, "epochs": epochs,
        "epochs_wanted": wanted, "whole_training_seconds": round(training * wanted / epochs, 1),
        "val_loss": min(float(row["val_loss"]) for row in rows),
    }  # fmt: skip


def main() -> None:
    device = choose_device("auto").value
    runs = RUNS[device.type]
    parser = argparse.ArgumentParser(prog="python -m tests.bench.runs", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=runs, default=list(runs), help="of this device's runs")
    parser.add_argument("--minutes", type=float, default=10, help="for a run on a GPU")
    args = parser.parse_args()
    results = {run["command"]: run for run in (load(f"runs-{device.type}.json") or {"runs": []})["runs"]}
    for config in args.only:
        limits = [f"training.max_minutes={args.minutes}"] if device.type == "cuda" else []
        run = timed_run(config, runs[config], limits, f"outputs/documented-{config}")
        results[run["command"]] = {**run, "machine": machine(device)}
        print(write(f"runs-{device.type}.json", device, {"runs": list(results.values())}), flush=True)


if __name__ == "__main__":
    main()
