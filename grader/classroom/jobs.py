"""One job per submission, on this machine or on Slurm.

A job is `python -m grader` on one student's folder, in a process of its own, and writes its results there. It holds a
lock while it works, so that no submission is graded twice at the same time, whichever process was killed before.
"""

import fcntl
import json
import os
import platform
import runpy
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from grader import ROOT, __version__
from grader.classroom.resources import Resources
from grader.grading_config import grading_digest
from grader.submission.weights_files import digests

RESULTS, LOCK, HISTORY = "results.json", ".lock", "jobs.jsonl"
LOCKED = 75  # exit code: another job is working on it (EX_TEMPFAIL of sysexits.h)
ATTEMPTS = 3  # at grading a submission, if the failure is our own
POLL = 0.2  # seconds between polls of the jobs
WAIT = 5.0  # seconds until a locked submission is retried


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


def run_one(task: Task, folder: str) -> int:
    """In the job: run the grader, with all output in folder/NAME.log; returns its exit code.

    Skips work that is already done: on Slurm the jobs of a killed controller are still in the queue.
    Appends a line to folder/jobs.jsonl: when it began, how long it took, how it ended, where.
    """
    place, began, clock = Path(folder), time.time(), time.monotonic()
    os.chdir(ROOT)
    with open(place / LOCK, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return LOCKED
        if task.done(place):
            return 0
        lock.truncate(0)
        lock.write(str(os.getpid()))  # for a person who wants to know who holds it
        lock.flush()
        with _all_output_in(place / f"{task.name}.log"):
            code = _grader(task.words(place))
        about = {
            "task": task.name, "began": round(began, 3), "seconds": round(time.monotonic() - clock, 3),
            "exit_code": code, "host": platform.node(),
        }  # fmt: skip
        with open(place / HISTORY, "a") as history:
            history.write(json.dumps(about) + "\n")
        return code


def _grader(words: list[str]) -> int:
    """`python -m grader` in this process, which is there for nothing else."""
    from grader.suite.shared_fork_server import close_fork_servers  # imports much

    sys.argv[1:] = words
    try:
        runpy.run_module("grader", run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:  # as Python itself ends: with the traceback, and 1
        traceback.print_exc()
    finally:
        close_fork_servers()
    return 1


@contextmanager
def _all_output_in(file: Path) -> Iterator[None]:
    """What this process and those that it starts print, also past Python."""
    before = [os.dup(number) for number in (1, 2)]
    with open(file, "wb") as log:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
        try:
            yield
        finally:
            for number, stream in ((1, sys.stdout), (2, sys.stderr)):
                stream.flush()
                os.dup2(before[number - 1], number)
                os.close(before[number - 1])


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
    return digests(folder / "submission")


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


class Job(Protocol):
    def done(self) -> bool: ...

    def code(self) -> int | None:
        """The grader's exit code, once the job is done; None if it was ended from outside."""


class Executor(Protocol):
    """Where jobs run: local_executor.py, slurm_executor.py."""

    def submit(self, task: Task, folders: list[Path]) -> Sequence[Job]: ...

    def cancel(self) -> None:
        """End all jobs."""


class Jobs:
    """Works on folders until each has its results or has failed too often through our own fault."""

    def __init__(self, executor: Executor, resources: Resources, task: Task) -> None:
        self.executor, self.resources, self.task = executor, resources, task
        self.attempts: dict[Path, int] = {}
        self.started: dict[Path, float] = {}
        self.not_before: dict[Path, float] = {}
        self.running: dict[Path, Job] = {}

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
        for folder, job in zip(folders, self.executor.submit(self.task, folders), strict=True):
            self.running[folder] = job
            self.started[folder] = time.monotonic()

    def _finish(self, folder: Path) -> Outcome | None:
        """The outcome of a job that has ended; None if the submission has to be retried."""
        job, seconds = self.running.pop(folder), time.monotonic() - self.started[folder]
        if self.task.done(folder):
            return Outcome(folder, seconds=seconds)
        code = job.code()
        if code == LOCKED:  # an earlier sitting's job, or one that a killed one left, is still working on it
            self.not_before[folder] = time.monotonic() + WAIT
            return None
        self.attempts[folder] = self.attempts.get(folder, 0) + 1
        if code == 2 or self.attempts[folder] >= ATTEMPTS:
            return Outcome(folder, _why(folder / f"{self.task.name}.log", code), seconds=seconds)
        return None


def _why(log: Path, code: int | None) -> str:
    if code is None:
        return f"the job was ended from outside, {ATTEMPTS} times (time or memory?)"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"the grader failed (exit code {code}): {lines[-1] if lines else 'it said nothing'}"
