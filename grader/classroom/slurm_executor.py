"""Jobs on Slurm, by submitit: an array of them. A killed controller leaves them in the queue."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError

from assignment.ddpm.errors import UserError
from grader.classroom.jobs import Task, run_one
from grader.classroom.resources import Resources

NAME = "no-confusion"  # of the jobs, in Slurm's queue
ASK = 5.0  # seconds, at least, between two looks at the queue
ABSENT = 2  # looks at the queue without a job, and it has ended: its result may be late on a network's file system


class Listing:
    """The jobs that Slurm has, waiting or running.

    submitit asks `sacct`, which knows nothing where Slurm keeps no accounts, and waits forever for a job that left no
    result; `squeue` works everywhere.
    """

    def __init__(self) -> None:
        self.looks, self.jobs, self.asked = 0, frozenset[str](), 0.0

    def look(self) -> tuple[int, frozenset[str]]:
        """The number of this look, and the jobs' ids; looks again only if the last time is long ago."""
        if time.monotonic() - self.asked >= ASK:
            self.asked = time.monotonic()
            command = ["squeue", "--array", "--noheader", "--format=%i", f"--name={NAME}"]
            told = subprocess.run(command, capture_output=True, text=True)
            if told.returncode == 0:  # else Slurm is restarting, and nothing is known
                self.looks, self.jobs = self.looks + 1, frozenset(told.stdout.split())
        return self.looks, self.jobs


class SlurmJob:
    def __init__(self, job: submitit.Job[int], listing: Listing) -> None:
        self.job, self.listing = job, listing
        self.seen, self.absent = listing.looks, 0  # a look before it was submitted says nothing

    def done(self) -> bool:
        look, jobs = self.listing.look()
        if look > self.seen:
            self.seen, self.absent = look, 0 if self.job.job_id in jobs else self.absent + 1
        return self.absent >= ABSENT or self.job.done()

    def code(self) -> int | None:
        """The grader's exit code; None if the job ended otherwise: killed, out of time, out of memory, a lost node."""
        of: Any = self.job
        if not of.done():
            return None  # it left no result
        return of.result() if of.exception() is None else None


class SlurmExecutor:
    """Puts jobs into Slurm's queue, all that there are."""

    def __init__(self, resources: Resources, folder: Path, queue: Path) -> None:
        """Raises UserError if there is no Slurm."""
        self.cpus, self.queue = resources.cpus, Queue(queue)
        try:
            self.executor = submitit.AutoExecutor(folder=folder, cluster="slurm")
        except RuntimeError as error:
            raise UserError(f"--executor slurm: {error}") from error
        self.executor.update_parameters(
            name=NAME, timeout_min=resources.minutes, cpus_per_task=resources.cpus, gpus_per_node=resources.gpus,
            mem_gb=resources.memory_gb, slurm_array_parallelism=resources.slots,
            **({"slurm_partition": resources.partition} if resources.partition else {}),
        )  # fmt: skip
        self.queue.clear()
        self.jobs: list[submitit.Job[int]] = []
        self.listing = Listing()

    def submit(self, task: Task, folders: list[Path]) -> list[SlurmJob]:
        """A job for each, in one array. Raises UserError if Slurm takes none."""
        try:
            with self.executor.batch():
                jobs = [self.executor.submit(_work, task, str(folder), self.cpus) for folder in folders]
        except FailedJobError as error:
            raise UserError(f"--executor slurm: {' '.join(str(error).split())[:500]}") from error
        self.queue.note(jobs)
        self.jobs += jobs
        return [SlurmJob(job, self.listing) for job in jobs]

    def cancel(self) -> None:
        for job in self.jobs:
            if not job.done():
                job.cancel(check=False)


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


def _work(task: Task, folder: str, cpus: int) -> int:
    """In the job."""
    os.environ["OMP_NUM_THREADS"] = str(cpus)  # before torch is imported, which reads it
    return run_one(task, folder)
