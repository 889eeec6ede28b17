"""Jobs on Slurm, by submitit: an array of them. A killed controller leaves them in the queue."""

import os
import subprocess
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError

from assignment.ddpm.errors import UserError
from grader.classroom.jobs import Task, run_one
from grader.classroom.resources import Resources

NAME = "no-confusion"  # of the jobs, in Slurm's queue


class SlurmJob:
    def __init__(self, job: submitit.Job[int]) -> None:
        self.job = job

    def done(self) -> bool:
        return self.job.done()

    def code(self) -> int | None:
        """The grader's exit code; None if the job ended otherwise: killed, out of time, out of memory, a lost node."""
        of: Any = self.job
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

    def submit(self, task: Task, folders: list[Path]) -> list[SlurmJob]:
        """A job for each, in one array. Raises UserError if Slurm takes none."""
        try:
            with self.executor.batch():
                jobs = [self.executor.submit(_work, task, str(folder), self.cpus) for folder in folders]
        except FailedJobError as error:
            raise UserError(f"--executor slurm: {' '.join(str(error).split())[:500]}") from error
        self.queue.note(jobs)
        self.jobs += jobs
        return [SlurmJob(job) for job in jobs]

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
