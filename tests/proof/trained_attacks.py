"""Grade the hostile submissions that want points for a training which has learnt nothing, with and without the sandbox.

    uv run python -m tests.proof.trained_attacks [NAME …]

Each is graded on the digits as an instructor grades it, with a secret; most come with weights of their own making, some
are trained by the course (`Trained: by the course`). Prints which checks of level 2 each one passed.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm.config import load_config
from grader.submission.sandbox import find_sandbox
from tests.conftest import ROOT
from tests.proof.trained import DIGITS, network_class

HOSTILE = ROOT / "tests" / "proof" / "submissions" / "hostile" / "trained"
NAMES = sorted(file.stem for file in HOSTILE.glob("*.py"))
WAYS = {"sandbox": "required", "plain": "none"}
FREE = {"level2.trained.weights", "level2.trained.uses_t"}  # anything that runs passes these


def ways_here() -> tuple[str, ...]:
    return tuple(WAYS) if find_sandbox("auto") else ("plain",)


def claims(name: str) -> tuple[str, str]:
    """(verdict, check id) from a docstring's `Reported:`."""
    found = re.search(r"^Reported: (\w+) at (\S+)$", _about(name), re.MULTILINE)
    assert found, f"{name}: its docstring does not say what catches it"
    return found[1], found[2]


def is_trained_by_the_course(name: str) -> bool:
    return "\nTrained: by the course\n" in _about(name)


def _about(name: str) -> str:
    return (HOSTILE / f"{name}.py").read_text().split('"""')[1]


def untrained_weights(model: Path, file: Path) -> Path:
    """The state that the submission's network begins with, as if it had been trained."""
    network = network_class(model)(load_config(DIGITS).model)
    code = hashlib.sha256(model.read_bytes()).hexdigest()
    ckpt.save_weights(network, file, epoch=1, step=1, val_loss="0.1", code=code)
    return file


def grade(name: str, way: str, folder: Path, *seed: str) -> dict[str, dict[str, Any]]:
    """Check id → check, of level 2. `seed`: options of the grader; by default a secret that nobody knows."""
    handed_in = folder / "handed in"
    handed_in.mkdir(parents=True)
    model = handed_in / "model.py"
    model.write_bytes((HOSTILE / f"{name}.py").read_bytes())
    secret = folder / "secret"
    secret.write_bytes(os.urandom(32))
    if is_trained_by_the_course(name):
        how = ["--train", "training.epochs=1", "sampling.num_images=1"]
    else:
        how = [f"--weights={untrained_weights(model, folder / 'run' / ckpt.WEIGHTS)}"]
    command = [
        sys.executable, "-m", "grader", handed_in, "--level", "2", "--config", DIGITS, "--output", folder / "out",
        "--sandbox", WAYS[way], *(seed or ("--secret-seed", str(secret))), *how, "runtime.device=cpu",
    ]  # fmt: skip
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stdout}{done.stderr}")
    return {check["id"]: check for check in json.loads((folder / "out" / "results.json").read_text())["checks"]}


def gained(checks: dict[str, dict[str, Any]]) -> list[str]:
    """The checks of what has been learnt that it passed, or has a part of the points of."""
    won = {name for name, check in checks.items() if check["verdict"] == "passed" or check["points"]}
    return sorted(won - FREE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.trained_attacks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    for name in parser.parse_args().names:
        for way in ways_here():
            with tempfile.TemporaryDirectory() as folder:
                checks = grade(name, way, Path(folder))
            points = sum(check["points"] for check in checks.values())
            print(f"{way:<8}{name:<28}{points:g} points, gained {', '.join(gained(checks)) or 'nothing'}", flush=True)


if __name__ == "__main__":
    main()
