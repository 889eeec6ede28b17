"""Grade right, wrong and hostile submissions again and again, and kill judges and workers at random moments.

    uv run python -m tests.proof.endurance 100          writes tests/bench/results/endurance.json

After each: the results file is complete or the previous one, the verdicts are those of an undisturbed grading (a check
whose worker was killed says so), and no process is left. At the end no folder is left, either, and the last gradings
took no more memory than the first.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

from assignment.ddpm.progress import progress_bar
from grader.worker.processes import adopt_orphans, descendants
from tests.bench.results import write
from tests.conftest import ROOT
from tests.proof.attacks import HOSTILE
from tests.proof.bank import BANK

# file of the bank → its level
MIXED = {
    BANK / "right" / "networks" / "residual_convnet.py": 1,
    BANK / "wrong" / "networks" / "time_left_out.py": 1,
    BANK / "right" / "samplers" / "eps_beta_tilde.py": 4,
    BANK / "wrong" / "samplers" / "diffusers_scheduler.py": 4,
    HOSTILE / "daemon.py": 1,
    HOSTILE / "exit_in_forward.py": 1,
    HOSTILE / "rewrites_results.py": 1,
}
KILLED = ("error", "out_of_memory")  # verdicts of a check whose worker was killed from outside


@dataclass
class Graded:
    verdicts: dict[str, str]  # empty if the judge was killed before writing
    seconds: float


class Endurance:
    """One folder, in which all gradings write the same results file."""

    def __init__(self, home: Path, chance: random.Random) -> None:
        self.home, self.chance = home, chance
        (home / "temporary").mkdir()
        self.output = home / "out"
        self.undisturbed: dict[Path, Graded] = {}
        self.done: Counter[str] = Counter()
        self.peaks: list[int] = []  # MiB of the largest process of each grading
        adopt_orphans()

    def _start(self, file: Path) -> subprocess.Popen:
        folder = self.home / "handed in" / file.stem
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / ("model.py" if MIXED[file] == 1 else "sampler.py"))
        return subprocess.Popen(
            [sys.executable, "-m", "grader", folder, "--level", str(MIXED[file]), "--config", "configs/digits.yaml",
             "--seed", "5", "--output", self.output, "runtime.device=cpu", f"output_dir={self.home / 'no trainings'}"],
            cwd=ROOT, env=os.environ | {"TMPDIR": str(self.home / "temporary"), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def grade(self, file: Path, kill: str = "") -> Graded:
        """With `kill`, kill the judge or the worker at a random moment. Raises AssertionError if anything is wrong."""
        results = self.output / "results.json"
        before = results.read_bytes() if results.exists() else b""
        start, judge = time.monotonic(), self._start(file)
        if kill:
            time.sleep(self.chance.uniform(0.1, 0.95) * self.undisturbed[file].seconds)
            below = descendants(set(), of=judge.pid)
            struck = judge.poll() is None and (kill == "judge" or bool(below))
            if struck:
                os.kill(judge.pid if kill == "judge" else max(below), signal.SIGKILL)
            self.done[f"{kill} killed" if struck else "came too late"] += 1
        _, status, usage = os.wait4(judge.pid, 0)
        code = judge.returncode = os.waitstatus_to_exitcode(status)
        self.peaks.append(usage.ru_maxrss >> 10)
        seconds = time.monotonic() - start
        while left := descendants(set()):
            assert time.monotonic() < start + seconds + 5, f"{file.stem}: {len(left)} processes are left"
            for pid in left:
                try:
                    os.waitpid(pid, os.WNOHANG)  # reap the orphans of a killed judge
                except ChildProcessError:
                    continue
            time.sleep(0.01)
        after = results.read_bytes() if results.exists() else b""
        if code == -signal.SIGKILL:
            assert after == before or json.loads(after)["schema"]
            return Graded({}, seconds)
        assert code == 0, f"{file.stem}: exit code {code}"
        checks = json.loads(after)["checks"]
        return Graded({check["id"]: check["verdict"] for check in checks}, seconds)

    def undisturbed_gradings(self) -> None:
        for file in MIXED:
            self.grade(file)  # what is measured once per machine is measured now
            self.undisturbed[file] = self.grade(file)

    def once(self) -> None:
        """One random grading, compared with the undisturbed one."""
        file = self.chance.choice(list(MIXED))
        kill = self.chance.choice(["", "judge", "worker"])
        found, expected = self.grade(file, kill).verdicts, self.undisturbed[file].verdicts
        self.done["graded"] += 1
        for check, verdict in found.items():
            disturbed = kill == "worker" and verdict in (*KILLED, "not_judged")
            assert verdict == expected[check] or disturbed, f"{file.stem}: {check} {verdict}, not {expected[check]}"
        assert not found or found.keys() == expected.keys()
        assert kill or found == expected

    def folders_left(self) -> list[str]:
        """Folders left after one more grading, which removes those of killed judges."""
        self.grade(next(iter(MIXED)))
        return sorted(path.name for path in (self.home / "temporary").glob("grading-*"))


def shared_memory() -> int:
    """MiB in /dev/shm and the like, which outlive processes."""
    return int(re.search(r"Shmem: +(\d+) kB", Path("/proc/meminfo").read_text()).group(1)) >> 10


def peak(mib: list[int]) -> dict[str, float]:
    return {"median": statistics.median(mib), "most": max(mib)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.endurance", description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    before = shared_memory()
    with tempfile.TemporaryDirectory() as folder:
        endurance = Endurance(Path(folder).resolve(), random.Random(args.seed))
        endurance.undisturbed_gradings()
        with progress_bar(args.count, "gradings", "enduring") as bar:
            for _ in range(args.count):
                endurance.once()
                bar.update()
        left = endurance.folders_left()
    figures = {
        "seed": args.seed, **endurance.done, "folders_left": left, "shared_memory_left_mib": shared_memory() - before,
        "largest_process_mib": {"first half": peak(endurance.peaks[: len(endurance.peaks) // 2]),
                                "second half": peak(endurance.peaks[len(endurance.peaks) // 2 :])},
    }  # fmt: skip
    print(json.dumps(figures, indent=1))
    assert not left
    write("endurance.json", torch.device("cpu"), figures)


if __name__ == "__main__":
    main()
