"""Grade many submissions of the bank, one process per core: a small network gains nothing from a second thread.

uv run python -m tests.proof.gradings DATA [PATTERN] < tasks     entries' names and seeds → one line of JSON each
"""

import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

from assignment.ddpm.progress import progress_bar
from grader.worker.processes import die_with_parent
from tests.conftest import ROOT
from tests.proof.bank import entries

PROCESSES = 2

Task = tuple[str, int]  # an entry's name, the judge's seed


def grade_all(tasks: list[Task], data: str, pattern: str = "") -> Iterator[dict]:
    """Grade in this process, one after another, by the checks whose IDs match."""
    import torch

    from grader.check_ids import needs_training
    from grader.errors import GraderFault
    from grader.grade import grade

    torch.set_num_threads(1)
    bank = {entry.name: entry for entry in entries()}
    with tempfile.TemporaryDirectory() as folder:
        for i, (name, seed) in enumerate(tasks):
            entry, start = bank[name], time.perf_counter()
            result = {"name": name, "seed": seed}
            try:
                results = grade(
                    entry.lay_out(Path(folder) / str(i)), levels=[entry.level], seed=seed, quiet=True,
                    config=ROOT / "configs" / f"{entry.config}.yaml",
                    overrides=[f"data.root={data}", "runtime.device=cpu"],
                    only=lambda check, entry=entry: (
                        not needs_training(check) and entry.concerns(check) and bool(re.search(pattern, check))
                    ),
                )  # fmt: skip
                result["slowdown"] = results.environment["slowdown"]
                result["checks"] = {c["id"]: c for c in results.to_json()["checks"]}
            except GraderFault as fault:
                result["fault"] = str(fault)
            yield result | {"seconds": time.perf_counter() - start}
            if i == 0:  # what is imported by now stays; pytest collects garbage five times at the end of each grading
                gc.freeze()


def in_parallel(tasks: list[Task], data: str, pattern: str = "") -> Iterator[dict]:
    """The same in several processes; results as they come. Raises RuntimeError if a process fails."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.proof.gradings", data, pattern]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=ROOT, text=True)
        for _ in range(PROCESSES)
    ]
    lines: list[str] = []
    readers = [Thread(target=lambda p=process: lines.extend(p.stdout), daemon=True) for process in running]
    for i, (process, reader) in enumerate(zip(running, readers, strict=True)):
        reader.start()
        process.stdin.write(json.dumps(tasks[i::PROCESSES]))
        process.stdin.close()
    try:
        with progress_bar(len(tasks), "submissions", "grading") as bar:
            while any(reader.is_alive() for reader in readers) or bar.n < len(lines):
                for line in lines[int(bar.n) :]:
                    bar.update()
                    yield json.loads(line)
                time.sleep(0.2)
    finally:
        for process in running:
            process.terminate()
            process.wait()
            process.stdout.close()
    if len(lines) < len(tasks):
        raise RuntimeError(f"only {len(lines)} of {len(tasks)} were graded: a grading process failed")


if __name__ == "__main__":
    die_with_parent()
    for result in grade_all(json.load(sys.stdin), *sys.argv[1:]):
        print(json.dumps(result), flush=True)
