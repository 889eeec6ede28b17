"""A class of 40 who hand in weights, honest and not: is every row as expected, and who is found out by training again?

    python -m tests.proof.trained_class [--keep FOLDER]    ten minutes; writes tests/bench/results/trained-class.json

With a folder that is kept, it resumes there.
On the digits, level 2, with short trainings. Afterwards a point is changed, and the class rescored.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch

from assignment.ddpm.errors import run_command
from grader.classroom.retrain import LOSS
from grader.grading_config import GRADING
from tests.bench.results import write
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.proof.trained import Kind, make, other_images

EPOCHS = 3
CODE = {name: (BANK / "right" / "networks" / f"{name}.py").read_text() for name in ("convnext", "residual_convnet")}


class Course:
    """Hands in, student by student."""

    def __init__(self, home: Path) -> None:
        self.home, self.handed_in = home, home / "handed in"
        self.trained: dict[tuple[str, int, int], Path] = {}

    def run(self, network: str, seed: int, epochs: int = EPOCHS) -> Path:
        """The folder of a training."""
        if (network, seed, epochs) not in self.trained:
            kind = Kind(f"right/networks/{network}.py", None, False, (f"training.epochs={epochs}",))
            place = self.home / "trained" / f"{network}-{seed}-{epochs}"
            self.trained[network, seed, epochs] = make(kind, place, seed).parent
        return self.trained[network, seed, epochs]

    def hand_in(self, student: str, run: Path | None, code: str, claims: str = "") -> Path:
        """model.py and, if there is a training, its weights, log and settings."""
        folder = self.handed_in / student
        (folder / "weights").mkdir(parents=True)
        (folder / "model.py").write_text(code)
        if run:
            for name, kind in (
                ("weights.safetensors", "safetensors"),
                ("log.csv", "log.csv"),
                ("config.yaml", "config.yaml"),
            ):
                shutil.copy(run / name, folder / "weights" / f"digits.{kind}")
            settings = folder / "weights" / "digits.config.yaml"
            settings.write_text(settings.read_text().replace("epochs: 30", claims) if claims else settings.read_text())
        return folder


def honest(course: Course, student: str, k: int) -> None:
    network = list(CODE)[k % 2]
    course.hand_in(student, course.run(network, 100 + k % 8), f"# {student}\r\n{CODE[network]}")


def stale(course: Course, student: str, k: int) -> None:
    """Renamed a variable since; the weights still fit."""
    code = CODE["convnext"]
    course.hand_in(student, course.run("convnext", 100), f"{code}\n\nunused = {k}\n")


def foreign(course: Course, student: str, k: int) -> None:
    course.hand_in(student, course.run("residual_convnet", 101), CODE["convnext"])


def huge(course: Course, student: str, k: int) -> None:
    folder = course.hand_in(student, None, CODE["convnext"])
    state = {"x": torch.zeros(30 << 20)}  # 120 MiB
    safetensors.torch.save_file(state, folder / "weights" / "digits.safetensors")


def missing(course: Course, student: str, k: int) -> None:
    course.hand_in(student, None, CODE["convnext"])


def pickled(course: Course, student: str, k: int) -> None:
    folder = course.hand_in(student, None, CODE["convnext"])
    torch.save({"x": torch.zeros(3)}, folder / "weights" / "digits.safetensors")


def identical(course: Course, student: str, k: int) -> None:
    """Three with the same weights: as they are, in bfloat16, with a little noise."""
    folder = course.hand_in(student, course.run("convnext", 110), CODE["convnext"])
    file = folder / "weights" / "digits.safetensors"
    with safetensors.torch.safe_open(file, framework="pt") as opened:
        about = opened.metadata()
    state = safetensors.torch.load_file(file)
    changed: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
        lambda v: v, lambda v: v.bfloat16().float(), lambda v: v + 0.001 * v.std() if v.dim() > 1 else v,
    )  # fmt: skip
    safetensors.torch.save_file({n: changed[k % 3](v) for n, v in state.items()}, file, metadata=about)


def on_validation_images(course: Course, student: str, k: int) -> None:
    """Trained for long, on the images that validate."""
    kind = Kind("right/networks/convnext.py", None, False, ("training.epochs=30",))
    with other_images("validation", 0):
        run = make(kind, course.home / "trained" / f"unseen-{k}", 7).parent
    course.hand_in(student, run, CODE["convnext"])


def too_good(course: Course, student: str, k: int) -> None:
    """Trained for ten times as long as stated."""
    course.hand_in(student, course.run("residual_convnet", 200 + k % 2, 10 * EPOCHS), CODE["residual_convnet"],
                   f"epochs: {EPOCHS}")  # fmt: skip


ROLES = [
    *[honest] * 22, *[stale] * 3, *[foreign] * 2, *[huge] * 2, *[missing] * 3, *[pickled] * 1, *[identical] * 3,
    *[on_validation_images] * 1, *[too_good] * 3,
]  # fmt: skip
# role → verdict of level2.trained.weights, and how its column `retrained` begins
EXPECTED = {
    "honest": ("passed", "plausible"), "stale": ("passed", "plausible"), "foreign": ("failed", ""),
    "huge": ("failed", ""), "missing": ("not_judged", ""), "pickled": ("failed", ""),
    "identical": ("passed", ""), "on_validation_images": ("passed", ""), "too_good": ("passed", "implausible"),
}  # fmt: skip


def grade(course: Course, *more: str) -> tuple[str, float]:
    command = [
        sys.executable, "-m", "grader", "class", course.handed_in, "--output", course.home / "graded", "--level", "2",
        "--config", "configs/digits.yaml", "--secret-seed", course.home / "secret", "runtime.device=cpu",
        f"training.epochs={EPOCHS}", f"output_dir={course.home / 'no trainings'}", *more,
    ]  # fmt: skip
    began = time.monotonic()
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    print(ran.stdout)
    if ran.returncode not in (0, 1):
        raise RuntimeError(f"exit code {ran.returncode}")
    return ran.stdout, time.monotonic() - began


def measure(home: Path) -> dict:
    course = Course(home)
    home.mkdir(parents=True, exist_ok=True)
    (home / "secret").write_bytes(bytes(range(32)))
    roles = {f"student{k:02}": role.__name__ for k, role in enumerate(ROLES)}
    if not course.handed_in.exists():
        for k, (student, role) in enumerate(zip(roles, ROLES, strict=True)):
            role(course, student, k)
    grade(course, "--rescore")
    grade(course, "--retrain", "100%")
    rows = {row["student"]: row for row in csv.DictReader((home / "graded" / "class.csv").open(newline=""))}
    wrong = [line for student, role in roles.items() for line in unexpected(home, student, role, rows[student])]
    page = (home / "graded" / "class.html").read_text()
    near = page.partition('id="near"')[2].partition("</ul>")[0]
    triple = [student for student, role in roles.items() if role == "identical"]
    wrong += [f"{student} is not among the near weights" for student in triple if student not in near]
    usual = GRADING.read_text()
    try:
        GRADING.write_text(usual.replace("level2.trained.weights: 0.25", "level2.trained.weights: 0.5"))
        said, rescored = grade(course, "--rescore")
    finally:
        GRADING.write_text(usual)
    return {
        "students": len(roles), "roles": {role: list(roles.values()).count(role) for role in EXPECTED},
        "unexpected": wrong, "rescored_seconds": rescored,
        "rescored": next((line for line in said.splitlines() if " rescored, " in line), said[-200:]),
        "verdicts": {role: sorted({rows[s]["retrained"].partition(":")[0] for s, r in roles.items() if r == role})
                     for role in EXPECTED},
    }  # fmt: skip


def unexpected(home: Path, student: str, role: str, row: dict[str, str]) -> list[str]:
    results = json.loads((home / "graded" / "students" / student / "results.json").read_text())
    checks = {check["id"]: check for check in results["checks"]}
    weights, begins = EXPECTED[role]
    found = []
    if checks["level2.trained.weights"]["verdict"] != weights:
        found.append(f"{student} ({role}): weights {checks['level2.trained.weights']['verdict']}")
    if begins and not row["retrained"].startswith(begins):
        found.append(f"{student} ({role}): retrained {row['retrained']!r}")
    if role == "stale" and "code changed since" not in row["weights"]:
        found.append(f"{student} ({role}): {row['weights']!r}")
    if role == "on_validation_images" and checks[LOSS]["points"] and checks["level2.loss.generalises"]["points"]:
        found.append(f"{student} ({role}): has both points of the loss")
    return found


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.trained_class", description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the class is kept; default: it is not")
    args = parser.parse_args(argv)

    def command() -> int:
        with tempfile.TemporaryDirectory() as folder:
            found = measure((args.keep or Path(folder)).resolve())
        print(json.dumps(found, indent=1))
        print(write("trained-class.json", torch.device("cpu"), found))
        return bool(found["unexpected"])

    return run_command(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
