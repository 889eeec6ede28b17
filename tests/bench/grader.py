"""How long grading takes: a U-Net of the reference's size, and a sampler, on a configuration's real images.

    uv run python -m tests.bench.grader [--config configs/fashion_mnist.yaml]

Each round times the commands that a student types, as seen from the shell, and in the same run what can't be avoided:
a process that imports torch. Writes tests/bench/results/grader-<config>-cpu.json.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from assignment.ddpm.config import load_config
from reference.model import DiffusionModel
from tests.bench.results import write
from tests.conftest import ROOT
from tests.proof.bank import BANK

ROUNDS = 3
PYTEST = ["-m", "pytest", "grader", "-q"]
COMMANDS = {
    "pytest -k shapes": ["-k", "shapes", "-m", "level1"],
    "level 1": ["-m", "level1 and not trained"],
    "level 4": ["-m", "level4"],
}


def lay_out(folder: Path) -> Path:
    """The bank's U-Net, widened to the reference's size, and a sampler from the bank."""
    source = (BANK / "right" / "networks" / "unet_concat_film.py").read_text()
    wide = source.replace("c, d = 24, 96", "c, d = 80, 320")
    assert wide != source
    (folder / "model.py").write_text(wide)
    shutil.copy(BANK / "right" / "samplers" / "eps_beta_tilde.py", folder / "sampler.py")
    return folder


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def step_seconds(folder: Path, config: str) -> dict[str, float]:
    """Parameters and seconds per training step on 8 images, for the submission and for the reference."""
    m = load_config(config).model
    scope: dict = {"__name__": "submission"}
    exec(compile((folder / "model.py").read_text(), "model.py", "exec"), scope)
    found = {}
    for name, network in (("submission", scope["DiffusionModel"](m)), ("reference", DiffusionModel(m))):
        x, t = torch.randn(8, *m.image_shape), torch.arange(8)
        network(x, t).square().mean().backward()
        start = time.perf_counter()
        for _ in range(3):
            network(x, t).square().mean().backward()
        found[f"{name}_step_seconds"] = (time.perf_counter() - start) / 3
        found[f"{name}_parameters"] = sum(p.numel() for p in network.parameters())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.grader", description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/fashion_mnist.yaml")
    config = parser.parse_args().config
    with tempfile.TemporaryDirectory() as name:
        folder = lay_out(Path(name))
        about = [f"--submission={folder}", f"--config={config}"]
        sizes = step_seconds(folder, config)
        seconds([*PYTEST, *about, "-k", "test_builds"])  # measures the reference's pace, once per machine
        rounds: dict[str, list[float]] = {"import torch": [], **{what: [] for what in COMMANDS}}
        for _ in range(ROUNDS):
            rounds["import torch"].append(seconds(["-c", "import torch"]))
            for what, arguments in COMMANDS.items():
                rounds[what].append(seconds([*PYTEST, *about, *arguments]))
    middle = {what: statistics.median(values) for what, values in rounds.items()}
    name = Path(config).stem
    path = write(f"grader-{name}-cpu.json", torch.device("cpu"),
                 {"config": name, "rounds": ROUNDS, **sizes, "seconds": middle, "all_rounds": rounds})  # fmt: skip
    print(*(f"{what:<20}{value:6.1f} s" for what, value in middle.items()), f"written to {path}", sep="\n")


if __name__ == "__main__":
    main()
