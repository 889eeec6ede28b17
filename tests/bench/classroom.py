"""A class of 60, graded in one command on this machine and on a Slurm of one node.

    uv run python -m tests.bench.classroom [--count 60] [--executor local] [--executor slurm]

The first half of the class is graded undisturbed and timed. Then the controller and jobs are killed with kill -9 at
random moments, and the same command resumes. Ten of the class hand in what has to be searched, and three of these what
can't be taken. Writes tests/bench/results/classroom.json, one row per executor.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from assignment.ddpm.progress import progress_bar
from grader.classroom.hand_ins import STUDENTS
from grader.classroom.jobs import HISTORY, RESULTS
from tests.bench.results import load, write
from tests.conftest import ROOT
from tests.support.classes import gradings, lay_out, misjudged, warm_processes, wrong_rows
from tests.support.slurm import slurm, why_not

SLOTS = os.cpu_count() or 1
KILLS = {"controller": 3, "grading": 4, "warm process": 3}  # in the second half; on Slurm there is no warm process
EXECUTORS = ("local", "slurm")
ODD, NOT_TAKEN = 10, 3  # of the class


class Class:
    """One class being graded."""

    def __init__(self, home: Path, count: int, executor: str, environment: dict[str, str]) -> None:
        self.output = home / "graded"
        self.expected = lay_out(home / "handed in", count, odd=ODD)
        self.command = [
            sys.executable, "-m", "grader", "class", home / "handed in", "--output", self.output,
            "--executor", executor, *(["--memory-gb", "4"] if executor == "slurm" else []), "--jobs", str(SLOTS),
            "--config", "configs/digits.yaml", "runtime.device=cpu", f"output_dir={home / 'no trainings'}",
        ]  # fmt: skip
        self.environment = os.environ | environment
        self.log = home / "log"

    def start(self) -> subprocess.Popen:
        with open(self.log, "a") as log:
            return subprocess.Popen(self.command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)

    def graded(self) -> list[Path]:
        return list(self.output.glob(f"{STUDENTS}/*/{RESULTS}"))

    def victims(self, what: str, controller: subprocess.Popen) -> list[int]:
        if what == "controller":
            return [controller.pid]
        return warm_processes(controller.pid) if what == "warm process" else gradings(self.output)

    def history(self) -> dict[str, list[dict[str, Any]]]:
        """Student → the jobs that ended."""
        return {
            file.parent.name: [json.loads(line) for line in file.read_text().splitlines()]
            for file in self.output.glob(f"{STUDENTS}/*/{HISTORY}")
        }


def undisturbed(jobs: list[dict[str, Any]], own: dict[str, float], began: float, until: float) -> dict[str, float]:
    """For the jobs that ended by then: how busy the slots were, and a job's time beyond its checks."""
    within = [job for job in jobs if job["began"] + job["seconds"] <= until]
    busy = sum(min(job["began"] + job["seconds"], until) - job["began"] for job in jobs if job["began"] < until)
    return {
        "submissions": len(within), "wall_seconds": until - began, "busy_share": busy / (SLOTS * (until - began)),
        "job_seconds": statistics.median(job["seconds"] for job in within),
        "checks_seconds": statistics.median(own[job["student"]] for job in within),
        "overhead_seconds": statistics.median(job["seconds"] - own[job["student"]] for job in within),
    }  # fmt: skip


def run(home: Path, count: int, executor: str, environment: dict[str, str], chance: random.Random) -> dict[str, Any]:
    course = Class(home, count, executor, environment)
    began, controller = time.time(), course.start()
    kills = [what for what, times in KILLS.items() for _ in range(times)]
    if executor == "slurm":
        kills = ["grading" if what == "warm process" else what for what in kills]
    chance.shuffle(kills)
    half, killed = 0.0, {what: 0 for what in KILLS}
    with progress_bar(count, "submissions", executor) as bar:
        while True:
            time.sleep(1)
            bar.update(len(course.graded()) - bar.n)
            if not half and bar.n >= count / 2:
                half = time.time()
            # so that the kills spread over what is left
            now = half and kills and chance.random() < len(kills) / max(1, 5 * (count - bar.n))
            if now and (victims := course.victims(kills[-1], controller)):
                os.kill(chance.choice(victims), signal.SIGKILL)
                killed[kills.pop()] += 1
            if controller.poll() is not None:
                if controller.returncode != -signal.SIGKILL:
                    break
                controller = course.start()
    wall, history = time.time() - began, course.history()
    own = {
        file.parent.name: sum(check["seconds"] for check in json.loads(file.read_text())["checks"])
        for file in course.graded()
    }
    jobs = [job | {"student": student} for student, lines in history.items() for job in lines]
    twice = [student for student, lines in history.items() if sum(job["exit_code"] == 0 for job in lines) > 1]
    return {
        "count": count, "slots": SLOTS, "exit_code": controller.returncode, "wall_seconds": wall, "killed": killed,
        "graded": len(course.graded()), "graded_twice": twice, "misjudged": misjudged(course.output, course.expected),
        "odd": ODD, "not_taken": NOT_TAKEN, "wrong_rows": wrong_rows(course.output, course.expected),
        "processes_left": len(gradings(course.output)), "undisturbed": undisturbed(jobs, own, began, half),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.classroom", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--executor", action="append", choices=EXECUTORS)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    for executor in args.executor or EXECUTORS:
        if executor == "slurm" and (why := why_not()):
            sys.exit(f"no Slurm: {why}")
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory())).resolve()
            environment = stack.enter_context(slurm(home / "slurm")) if executor == "slurm" else {}
            environment = {"OMP_NUM_THREADS": "1", **environment}
            row = run(home / "class", args.count, executor, environment, random.Random(args.seed))
            print(json.dumps(row, indent=1))
            if row["exit_code"] != 1:  # as three could not be graded
                sys.exit((home / "class" / "log").read_text()[-3000:])
        rows = {k: v for k, v in (load("classroom.json") or {}).items() if k in EXECUTORS}
        write("classroom.json", torch.device("cpu"), rows | {executor: {"seed": args.seed, **row}})


if __name__ == "__main__":
    main()
