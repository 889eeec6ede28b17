"""Jobs on this machine: each a process of its own, forked from one that has already imported what a grading needs."""

import gc
import os
import platform
import signal
import sys
import time
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from grader.classroom.jobs import POLL, Task, run_one
from grader.classroom.resources import Resources

WARM = (
    "grader.grade_command", "grader.grade", "grader.replay", "grader.conftest", "grader.submission.process",
    "grader.suite.fixtures", "grader.suite.fixtures_network", "grader.suite.fixtures_sampler",
    "grader.suite.fixtures_trained", "grader.test_level1", "grader.test_level2", "grader.test_level3",
    "grader.test_level4", "pytest_timeout",
)  # fmt: skip
PATIENCE = 60.0  # seconds that an interrupted job has to put its things away, such as a training's checkpoint


class LocalJob:
    """A process with a time limit."""

    def __init__(self, process: BaseProcess, minutes: float) -> None:
        self.process, self.deadline = process, time.monotonic() + 60 * minutes

    def done(self) -> bool:
        if self.process.is_alive() and time.monotonic() > self.deadline:
            self.process.kill()
            self.process.join()
        return not self.process.is_alive()

    def code(self) -> int | None:
        """The grader's exit code; None if the process was killed."""
        code = self.process.exitcode
        return None if code is None or code < 0 else code

    def interrupt(self) -> None:
        """As by Ctrl-C; a job that does not end in time is killed."""
        if self.process.pid and not self.done():
            os.kill(self.process.pid, signal.SIGINT)
            self.deadline = time.monotonic() + PATIENCE


class LocalExecutor:
    """Runs a job in each slot."""

    def __init__(self, resources: Resources) -> None:
        self.minutes, self.gpus = resources.minutes, resources.visible
        self.slots: dict[int, LocalJob] = {}
        os.environ["OMP_NUM_THREADS"] = str(resources.cpus)  # torch reads it when it is imported, for all jobs at once
        # on a Mac, frameworks that torch uses don't survive a fork
        self.context = ForkServerContext() if platform.system() == "Linux" else SpawnContext()
        self.context.set_forkserver_preload(list(WARM))

    def submit(self, task: Task, folders: list[Path]) -> list[LocalJob]:
        """A job for each; the caller knows how many slots are free."""
        free = [slot for slot in range(len(self.gpus)) if slot not in self.slots or self.slots[slot].done()]
        started = []
        for slot, folder in zip(free, folders, strict=False):
            process = self.context.Process(target=_work, args=(task, str(folder), self.gpus[slot]))
            process.start()
            self.slots[slot] = LocalJob(process, self.minutes)
            started.append(self.slots[slot])
        return started

    def cancel(self) -> None:
        """Interrupt the jobs, and wait until each has put its things away."""
        for job in self.slots.values():
            job.interrupt()
        while not all(job.done() for job in self.slots.values()):
            time.sleep(POLL)


def _work(task: Task, folder: str, gpus: str) -> None:
    """In the job."""
    os.setsid()  # Ctrl-C is for the controller, which tells us
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    gc.freeze()  # what is imported: collecting there, as pytest does five times, would copy the fork server's pages
    sys.exit(run_one(task, folder))
