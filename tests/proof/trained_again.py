"""How far apart do trainings of the same code end, in loss and in weights? And how near are copies?

    python -m tests.proof.trained_again [--seeds 12]      half an hour on a CPU; resumes; then trained-again.json

Each network is trained with SEEDS seeds, and with the first of them also in other ways; copies of its weights are then
rounded, disturbed, scaled and trained on.
"""

import argparse
import shutil
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import safetensors.torch
import torch

from assignment.ddpm.errors import run_command
from grader.similarity.weights import LIMIT, distance, sketch_of
from tests.bench.results import write
from tests.proof.trained import Kind, make

NETWORKS = ("convnext", "unet_add_attention", "residual_convnet")
USUAL = ("training.epochs=15",)
OTHERS = {  # ways in which honest students train: kind of change → overrides
    "half the learning rate": ("training.learning_rate=0.0005",),
    "another batch size": ("data.batch_size=32",),
    "a third longer": ("training.epochs=20",),
}
FOLDER = Path("outputs/trained-again")


def trained(network: str, seed: int, *more: str) -> Path:
    """The weights of a training, which is done once."""
    about = "-".join([network, str(seed), *(text.replace("=", "-") for text in more)])
    kept = FOLDER / f"{about}.safetensors"
    if not kept.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        kind = Kind(f"right/networks/{network}.py", samples=None, loss=False, overrides=(*USUAL, *more))
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(make(kind, Path(folder), seed), kept.with_suffix(".part"))
        kept.with_suffix(".part").replace(kept)
    return kept


def loss_of(weights: Path) -> float:
    with safetensors.torch.safe_open(weights, framework="pt") as file:
        return float(file.metadata()["val_loss"])


def apart(a: Path, b: Path) -> float:
    first, second = sketch_of(a), sketch_of(b)
    assert first and second and first.form == second.form
    return distance(first.values, second.values)


def copies(weights: Path, folder: Path) -> dict[str, Path]:
    """What is done to a copy so that it is not the same file."""
    state = safetensors.torch.load_file(weights)
    generator = torch.Generator().manual_seed(0)

    def noisy(part: float) -> dict[str, torch.Tensor]:
        return {k: v + part * v.std() * torch.randn(v.shape, generator=generator) if v.dim() > 1 else v
                for k, v in state.items()}  # fmt: skip

    made = {
        "in bfloat16": {k: v.bfloat16() if v.is_floating_point() else v for k, v in state.items()},
        "1 % noise": noisy(0.01),
        "10 % noise": noisy(0.1),
        "other names": {f"net{k}".replace(".", "_"): v for k, v in state.items()},
    }
    for name, values in made.items():
        safetensors.torch.save_file(values, folder / f"{name}.safetensors")
    return {name: folder / f"{name}.safetensors" for name in made}


def measure(seeds: int) -> dict:
    spread, distances, near = {}, {"other seed": []}, {}
    for network in NETWORKS:
        files = [trained(network, seed) for seed in range(seeds)]
        losses = [loss_of(file) for file in files]
        pairs = list(combinations(range(seeds), 2))
        gains = [abs(1 - losses[a] / losses[b]) for a, b in pairs]
        spread[network] = {"trainings": seeds, "losses": losses, "largest_gain": 1 - min(losses) / max(losses),
                           "pairs": len(pairs), "mean_gain": sum(gains) / len(gains)}  # fmt: skip
        distances["other seed"] += [apart(files[a], files[b]) for a, b in pairs]
        for name, overrides in OTHERS.items():
            distances.setdefault(name, []).append(apart(files[0], trained(network, 0, *overrides)))
        with tempfile.TemporaryDirectory() as folder:
            for name, file in copies(files[0], Path(folder)).items():
                near.setdefault(name, []).append(apart(files[0], file))
    return {"limit": LIMIT, "spread": spread, "honest": distances, "copies": near}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.trained_again", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    args = parser.parse_args(argv)

    def command() -> None:
        print(write("trained-again.json", torch.device("cpu"), measure(args.seeds)))

    return run_command(command, interrupted="the same command goes on")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
