"""Grade every hostile submission of the bank, in the sandbox, behind Landlock and without: what does it leave behind?

    uv run python -m tests.proof.attacks [NAME …]     all ways at once; writes tests/bench/results/hostile.json

All attacks are built on the same wrong network (submissions/hostile/honest.py): they may gain what it gains, no more.
"""

import argparse
import gc
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any

import torch

from grader.check_ids import needs_training
from grader.checks.own_work import scan_with_imports
from grader.grading_config import Grading, load_grading
from grader.results import Results
from grader.submission.sandbox import find_sandbox
from grader.submission.temporary_folder import LOCK
from grader.worker import landlock
from grader.worker.processes import adopt_orphans, descendants
from tests.bench.results import write
from tests.conftest import ROOT

HOSTILE = ROOT / "tests" / "proof" / "submissions" / "hostile"
LAST = "kills_its_parent"  # also kills the fork server that all others share
FILES = [file.stem for file in HOSTILE.glob("*.py") if file.stem not in ("__init__", "honest")]
NAMES = sorted(FILES, key=lambda name: (name == LAST, name))
WAYS = ("sandbox", "landlock", "plain")
KINDS = {"sandbox": "required", "landlock": "landlock", "plain": "none"}  # way → the value of --sandbox
DEADLINES = {"loops_at_import": 0.5, "loops_for_five": 5.0, "loops_in_init": 5.0, "sleeps_in_c": 5.0}  # seconds
READERS = (  # of configs/grading.yaml
    "grader.test_level1", "grader.suite.fixtures_network", "grader.suite.judge", "grader.suite.shared_fork_server",
)  # fmt: skip
SHARED_MEMORY = Path("/dev/shm")


@dataclass
class Outcome:
    name: str
    results: dict[str, Any]  # as in results.json; empty if the grader failed
    fault: str  # of the grader
    strays: list[str]  # files written where none should be
    left: int  # processes still running
    grown: int  # MiB by which the judge has grown

    def verdicts(self) -> dict[str, str]:
        return {check["id"]: check["verdict"] for check in self.results["checks"]}

    def check(self, check_id: str) -> dict[str, Any]:
        return next(check for check in self.results["checks"] if check["id"] == check_id)


def claims(name: str) -> tuple[str, str] | None:
    """(verdict, check id) from a docstring's `Reported:`; None if it says `Gains: nothing`."""
    last = (HOSTILE / f"{name}.py").read_text().split('"""')[1].strip().splitlines()[-1]
    found = re.fullmatch(r"Reported: (\w+) at (\S+)|Gains: nothing", last)
    assert found, f"{name}: {last}"
    return found.groups() if found[1] else None


def files(name: str) -> dict[str, bytes]:
    """The submission's files; a few have a sampler.py of their own."""
    both = {"model.py": HOSTILE / f"{name}.py", "sampler.py": HOSTILE / "beside" / f"{name}.py"}
    return {file: path.read_bytes() for file, path in both.items() if path.exists()}


def is_seen_in_the_source(name: str) -> bool:
    return bool(scan_with_imports(files(name), "model.py"))


def lay_out(name: str, folder: Path) -> Path:
    """The folder as handed in; some come with files that pytest would read."""
    folder.mkdir(parents=True)
    for file, source in files(name).items():
        (folder / file).write_bytes(source)
    if name == "conftest_beside":
        hook = "def pytest_runtest_makereport(item, call):\n    call.excinfo = None\n"
        for file in ("conftest.py", "sitecustomize.py", "grader.py"):
            (folder / file).write_text(hook)
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    return folder


def quick(seconds: float) -> Grading:
    """Fewer resources, and overfit runs of 20 steps: the network under all of these learns nothing in 300.

    Args:
        seconds: for a request
    """
    grading = load_grading()
    overfit = {k: replace(budget, steps=20, longest=20) for k, budget in grading.overfit.items()}
    limits = replace(grading.limits, memory_gib=1, processes=64)
    return replace(grading, overfit=overfit, limits=limits, time=replace(grading.time, request=seconds))


def use(grading: Grading) -> None:
    """Let the suite work by it, in place of configs/grading.yaml."""
    for name in READERS:
        importlib.import_module(name).load_grading = lambda: grading


def sweep() -> None:
    """Collect what a failed grading left open, before it turns into an error."""
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        sys.__dict__.pop(name, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def resident() -> int:
    """MiB of memory used by this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


class Attacked:
    """Gradings in this process, one after another; all their files should be inside `home`."""

    def __init__(self, home: Path, way: str) -> None:
        import grader.suite.shared_fork_server

        use(quick(20.0))
        self.home, self.kind = home, KINDS[way]
        self.temporary = home / "temporary"
        self.temporary.mkdir()
        tempfile.tempdir = str(self.temporary)
        shared = grader.suite.shared_fork_server.shared_fork_server
        self.fork_server = shared(fork=True, sandbox=self.kind, trusted=False)
        adopt_orphans()
        self.usual = set(self.fork_server.code.path.rglob("*"))
        self.usual_processes: set[int] = set()
        self.grade("honest")  # everything that is made once is made now
        self.usual = {file for file in home.rglob("*") if file.is_file()}
        self.usual_processes = descendants(set()) - self._fork_server_processes()
        gc.freeze()  # pytest collects garbage five times at the end of each grading

    def grade(self, name: str) -> Outcome:
        from grader.grade import grade

        use(quick(DEADLINES.get(name, 20.0)))
        folder = self.home / name
        submission = lay_out(name, folder / "handed in")
        before, shared = resident(), set(SHARED_MEMORY.iterdir())
        results, fault = None, ""
        try:
            results = grade(
                submission, levels=[1], config=ROOT / "configs" / "digits.yaml", quiet=True,
                overrides=["runtime.device=cpu"], seed=1,
                only=lambda check: not needs_training(check), options=[f"--sandbox={self.kind}"],
            )  # fmt: skip
            results.save(folder / "results.json")
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
            sweep()
        strays = self._strays(folder, submission, shared)
        json_ = results.to_json() if isinstance(results, Results) else {}
        return Outcome(name, json_, fault, strays, self._left(), resident() - before)

    def _strays(self, folder: Path, submission: Path, shared: set[Path]) -> list[str]:
        """Removes what it finds, so that it is not found again after the next attack."""
        ours = {folder / "results.json", *submission.iterdir(), *self.usual}
        found = {file for file in self.home.rglob("*") if file.is_file() and file.name != LOCK} - ours
        found |= set(SHARED_MEMORY.iterdir()) - shared
        for file in found:
            file.unlink()
        shutil.rmtree(folder)
        return sorted(file.name for file in found)

    def _fork_server_processes(self) -> set[int]:
        """The fork server's own processes: one, or bubblewrap and the one inside."""
        if self.fork_server.process is None:
            return set()
        outer = self.fork_server.process.pid
        return {outer, *children(outer)} if self.fork_server.sandbox else {outer}

    def _left(self) -> int:
        """How many unexpected child processes there are, after those about to end have ended."""
        deadline = time.monotonic() + 2
        while left := descendants(set()) - self.usual_processes - self._fork_server_processes():
            if time.monotonic() > deadline:
                break
            for pid in left:  # reap orphans that have ended
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.01)
        return len(left)


def serve(way: str, names: list[str]) -> None:
    """Print a line of JSON for each."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        attacked = Attacked(Path(folder).resolve(), way)
        for name in names:
            print(json.dumps(asdict(attacked.grade(name))), flush=True)


def attack(names: list[str], ways: tuple[str, ...] = WAYS) -> Iterator[tuple[str, Outcome]]:
    """(way, outcome) as they come, all ways in parallel. Raises RuntimeError if a process of ours fails."""
    names = ["honest", *sorted(names, key=LAST.__eq__)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    lines: list[tuple[str, str]] = []

    def listen(way: str, process: subprocess.Popen) -> None:
        lines.extend((way, line) for line in process.stdout)

    running = []
    for way in ways:
        command = [sys.executable, "-m", "tests.proof.attacks", "--serve", way, *names]
        if way == "plain" and "sandbox" in ways:  # its own shared memory: nothing of what it leaves is left
            apart = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", "/dev/shm", "--unshare-ipc", "--die-with-parent"]
            command = [*apart, "--", *command]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=env, cwd=ROOT, text=True)
        thread = Thread(target=listen, args=(way, process), daemon=True)
        thread.start()
        running.append((process, thread))
    done = 0
    try:
        while any(thread.is_alive() for _, thread in running) or done < len(lines):
            for way, line in lines[done:]:
                done += 1
                yield way, Outcome(**json.loads(line))
            for _, thread in running:
                thread.join(0.1)
    finally:
        for process, _ in running:
            process.terminate()
            process.wait()
            process.stdout.close()
    if done < len(names) * len(ways):
        raise RuntimeError(f"only {done} of {len(names) * len(ways)} were graded: a grading process failed")


def ways_here() -> tuple[str, ...]:
    there = {"sandbox": bool(find_sandbox("auto")), "landlock": landlock.abi() > 0, "plain": True}
    return tuple(way for way in WAYS if there[way])


def judged(outcome: Outcome) -> set[str]:
    """The checks that were judged, or that rightly wait for one that failed."""
    return {
        check["id"] for check in outcome.results.get("checks", ())
        if check["verdict"] != "not_judged" or check["message"].startswith("waits for ")
    }  # fmt: skip


def summary(found: dict[str, Outcome]) -> dict[str, dict[str, Any]]:
    """For one way: what each attack gained, compared with the network it is built on."""
    honest = found["honest"].verdicts()
    rows = {}
    for name, outcome in found.items():
        verdicts = outcome.verdicts() if outcome.results else {}
        reported = claims(name) if name != "honest" else None
        rows[name] = {
            "verdict": verdicts.get(reported[1] if reported else "level1.own_work", "not judged"),
            "check": reported[1] if reported else "level1.own_work",
            "points": outcome.results.get("score"),
            "gained": sorted(k for k, v in verdicts.items() if v == "passed" and honest[k] != "passed"),
            "lost": sorted(judged(found["honest"]) - judged(outcome)),
            "files": outcome.strays, "processes": outcome.left, "grown_mib": outcome.grown, "fault": outcome.fault,
        }  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.attacks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--serve", choices=WAYS, help="grade in this process")
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.names)
        return
    found: dict[str, dict[str, Outcome]] = {way: {} for way in ways_here()}
    for way, outcome in attack(args.names, ways_here()):
        found[way][outcome.name] = outcome
        row = summary(found[way])[outcome.name]
        print(f"{way:<8}{outcome.name:<28}{json.dumps(row)}", flush=True)
    if args.names == NAMES:
        write("hostile.json", torch.device("cpu"), {way: summary(outcomes) for way, outcomes in found.items()})


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
