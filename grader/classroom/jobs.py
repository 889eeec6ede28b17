"""One job per submission, by submitit: on this machine, or on Slurm as one array.

A job is `python -m grader` on one student's folder, and writes its results there. It holds a lock while it works, so
that no submission is graded twice at the same time, whichever process was killed before.
"""

import fcntl
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import submitit

from grader import ROOT, __version__
from grader.grading_config import grading_digest
from grader.submission.sources import read_sources, sha256

RESULTS, LOCK, HISTORY = "results.json", ".lock", "jobs.jsonl"
NAME = "no-confusion"  # of the jobs, in Slurm's queue
LOCKED = 75  # exit code: another job is working on it (EX_TEMPFAIL of sysexits.h)
ATTEMPTS = 3  # at grading a submission, if the failure is our own
POLL = 0.2  # seconds between polls of the jobs
WAIT = 5.0  # seconds until a locked submission is retried


@dataclass(frozen=True)
class Resources:
    """Of one job."""

    executor: str = "local"
    slots: int = 1  # jobs at a time
    minutes: int = 60
    cpus: int = 1
    gpus: int = 0
    memory_gb: int = 8
    partition: str = ""


class Task(Protocol):
    """What to do with each folder; sent to the job."""

    @property
    def name(self) -> str:
        """Of folder/NAME.log, which gets the output."""

    def words(self, folder: Path) -> list[str]:
        """Those that follow `python -m grader`."""

    def done(self, folder: Path) -> bool:
        """Whether its results exist and are valid."""


@dataclass
class Outcome:
    """The outcome for a submission: done, or given up after several attempts, which is not a score of 0."""

    folder: Path
    problem: str = ""
    again: bool = False  # it had already been done
    seconds: float = 0.0


def run_one(task: Task, folder: str, cpus: int) -> int:
    """In the job: run the grader, with all output in folder/NAME.log; returns its exit code.

    Skips work that is already done: on Slurm the jobs of a killed controller are still in the queue.
    Appends a line to folder/jobs.jsonl: when it began, how long it took, how it ended, where.
    """
    place, began, clock = Path(folder), time.time(), time.monotonic()
    with open(place / LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return LOCKED
        if task.done(place):
            return 0
        with open(place / f"{task.name}.log", "wb") as log:
            code = subprocess.run(
                [sys.executable, "-m", "grader", *task.words(place)],
                cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": str(cpus)}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, pass_fds=[lock.fileno()],
            ).returncode  # fmt: skip
        about = {
            "task": task.name, "began": round(began, 3), "seconds": round(time.monotonic() - clock, 3),
            "exit_code": code, "host": platform.node(),
        }  # fmt: skip
        with open(place / HISTORY, "a") as history:
            history.write(json.dumps(about) + "\n")
        return code


@dataclass(frozen=True)
class Grading:
    """`python -m grader` with these arguments, on folder/submission."""

    arguments: tuple[str, ...]
    check_ids: frozenset[str]
    name: ClassVar[str] = "grader"

    def words(self, folder: Path) -> list[str]:
        return ["grade", str(folder / "submission"), "--output", str(folder), *self.arguments]

    def done(self, folder: Path) -> bool:
        return is_complete(folder / RESULTS, files_of(folder), self.check_ids)


def files_of(folder: Path) -> dict[str, str]:
    """Name → SHA-256 of the files that are judged."""
    return sha256(read_sources(folder / "submission"))


def is_complete(file: Path, files: dict[str, str], check_ids: frozenset[str]) -> bool:
    """Whether it is a results.json of these files and checks, by this grader and by the grading.yaml of now."""
    try:
        results = json.loads(file.read_text())
        return (
            results["submission"]["sha256"] == files
            and {check["id"] for check in results["checks"]} == check_ids
            and results["environment"]["grader"] == __version__
            and results["environment"].get("grading") == grading_digest()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def executor_for(resources: Resources, folder: Path) -> submitit.AutoExecutor:
    """Raises RuntimeError if there is no Slurm."""
    cluster = {"local": "local", "slurm": "slurm"}[resources.executor]
    executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
    executor.update_parameters(
        name=NAME, timeout_min=resources.minutes, cpus_per_task=resources.cpus,
        gpus_per_node=resources.gpus, mem_gb=resources.memory_gb,
    )  # fmt: skip
    if resources.executor == "slurm":
        executor.update_parameters(slurm_array_parallelism=resources.slots)
        if resources.partition:
            executor.update_parameters(slurm_partition=resources.partition)
    return executor


class Queue:
    """The jobs that this and earlier controllers put into Slurm's queue, stored in a file for the next one."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def note(self, jobs: list[submitit.Job[int]]) -> None:
        with open(self.file, "a") as file:
            file.write("".join(f"{number}\n" for number in sorted({job.job_id.split("_")[0] for job in jobs})))

    def clear(self) -> None:
        """Cancel the waiting jobs of a killed controller; running jobs continue, and keep their locks."""
        numbers = self.file.read_text().split() if self.file.exists() else []
        if numbers:  # without any, scancel would cancel all waiting jobs of the user
            subprocess.run(["scancel", "--quiet", "--state=PENDING", f"--name={NAME}", *numbers])
        self.file.unlink(missing_ok=True)


class Jobs:
    """Works on folders until each has its results or has failed too often through our own fault."""

    def __init__(
        self, executor: submitit.Executor, resources: Resources, task: Task, queue: Queue | None = None
    ) -> None:
        self.executor, self.resources, self.task, self.queue = executor, resources, task, queue
        self.attempts: dict[Path, int] = {}
        self.started: dict[Path, float] = {}
        self.not_before: dict[Path, float] = {}
        self.running: dict[Path, submitit.Job[int]] = {}

    def run(self, folders: list[Path]) -> Iterator[Outcome]:
        """Yields each as it is done; completed work is not repeated."""
        waiting = list(folders)
        while waiting or self.running:
            ready = [folder for folder in waiting if self.not_before.get(folder, 0) <= time.monotonic()]
            for folder in [folder for folder in ready if self.task.done(folder)]:
                waiting.remove(folder)
                ready.remove(folder)
                yield Outcome(folder, again=True)
            free = len(ready) if self.resources.executor == "slurm" else self.resources.slots - len(self.running)
            for folder in ready[:free]:
                waiting.remove(folder)
            self._submit(ready[:free])
            for folder in [folder for folder, job in self.running.items() if job.done()]:
                outcome = self._finish(folder)
                if outcome is None:
                    waiting.append(folder)
                else:
                    yield outcome
            time.sleep(POLL)

    def _submit(self, folders: list[Path]) -> None:
        if not folders:
            return
        with self.executor.batch():  # one array on Slurm
            jobs = [self.executor.submit(run_one, self.task, str(folder), self.resources.cpus) for folder in folders]
        if self.queue:
            self.queue.note(jobs)
        for folder, job in zip(folders, jobs, strict=True):
            self.running[folder] = job
            self.started[folder] = time.monotonic()

    def _finish(self, folder: Path) -> Outcome | None:
        """The outcome of a job that has ended; None if the submission has to be retried."""
        job, seconds = self.running.pop(folder), time.monotonic() - self.started[folder]
        if self.task.done(folder):
            return Outcome(folder, seconds=seconds)
        code = _code(job)
        if code == LOCKED:  # an earlier sitting's job, or one that a killed one left, is still working on it
            self.not_before[folder] = time.monotonic() + WAIT
            return None
        self.attempts[folder] = self.attempts.get(folder, 0) + 1
        if code == 2 or self.attempts[folder] >= ATTEMPTS:
            return Outcome(folder, _why(folder / f"{self.task.name}.log", code), seconds=seconds)
        return None

    def cancel(self) -> None:
        for job in self.running.values():
            job.cancel(check=False)


def _code(job: Any) -> int | None:
    """The grader's exit code; None if the job ended otherwise: killed, out of time, out of memory, a lost node."""
    quietly: Callable[[], Any] = job.exception
    return job.result() if quietly() is None else None


def _why(log: Path, code: int | None) -> str:
    if code is None:
        return f"the job was ended from outside, {ATTEMPTS} times (time or memory?)"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"the grader failed (exit code {code}): {lines[-1] if lines else 'it said nothing'}"
