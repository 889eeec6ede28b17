"""A container like Gradescope's, by bubblewrap: the system's files, Python, and one folder; no network, little memory.

    python -m tests.proof.container SUBMISSION [--mib 768]…   how long grading takes there, and whether memory suffices

Writes tests/bench/results/gradescope.json. Meant for an environment with PyTorch for CPUs, like Gradescope's.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from grader.platforms.gradescope import command
from tests.bench.results import write

MEMORY = 768 << 20  # bytes; what Gradescope gives
SHARE = 0.5  # of a processor
PERIOD = 100_000  # µs, over which a group of processes gets its share
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc")
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp", "XDG_CACHE_HOME": "/cache"}
CGROUPS = Path("/sys/fs/cgroup")


@dataclass
class Group:
    """A group of processes with limits (cgroup v1, one folder for memory and one for processors)."""

    memory: Path
    cpu: Path

    @property
    def peak(self) -> int:
        return int((self.memory / "memory.max_usage_in_bytes").read_text())

    @property
    def killed(self) -> int:
        """How many of its processes were killed for memory."""
        return int((self.memory / "memory.oom_control").read_text().split()[-1])

    def enter(self) -> None:
        for folder in (self.memory, self.cpu):
            (folder / "cgroup.procs").write_text(str(os.getpid()))


@contextmanager
def limited(memory: int = MEMORY, share: float | None = None) -> Iterator[Group | None]:
    """A group with these limits; None if this machine does not let us make one."""
    own = dict(line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    try:
        group = Group(*(CGROUPS / kind / own[kind].strip("/") / f"ncd-{os.getpid()}" for kind in ("memory", "cpu")))
        for folder in (group.memory, group.cpu):
            folder.mkdir()
    except (KeyError, OSError):
        yield None
        return
    try:
        (group.memory / "memory.limit_in_bytes").write_text(str(memory))
        if share:
            (group.cpu / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group.cpu / "cpu.cfs_quota_us").write_text(str(round(PERIOD * share)))
        yield group
    finally:
        for folder in (group.memory, group.cpu):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a group's folder, once its last process has ended."""
    for _ in range(100):
        with suppress(OSError):
            return folder.rmdir()
        time.sleep(0.05)


class Autograder:
    """Gradescope's folder, with our zip unpacked as by its harness."""

    def __init__(self, path: Path, *arguments: str) -> None:
        self.path = path
        for name in ("source", "submission", "results"):
            (path / name).mkdir(parents=True)
        path.chmod(0o755)
        self.cache = path.parent / "cache"  # of the pace, shared with its siblings to save time
        self.cache.mkdir(exist_ok=True)
        self.cache.chmod(0o777)
        archive = path.with_suffix(".zip")
        assert command.main(["--output", str(archive), *arguments]) == 0
        subprocess.run([sys.executable, "-m", "zipfile", "-e", archive, path / "source"], check=True)
        shutil.copy(path / "source" / "run_autograder", path)
        (path / "run_autograder").chmod(0o755)
        (path / "source" / ".venv").symlink_to(sys.prefix)  # setup.sh would install it

    def submit(self, files: dict[str, str], created_at: str = "2026-01-01T12:00:00.000000Z") -> None:
        shutil.rmtree(self.path / "submission")
        for name, text in files.items():
            place = self.path / "submission" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        (self.path / "submission_metadata.json").write_text(json.dumps({
            "id": 1, "created_at": created_at, "submission_method": "upload", "previous_submissions": [],
            "assignment": {"due_date": "2026-01-01T12:00:00.000000Z", "title": "DDPM", "total_points": "20.0"},
            "users": [{"email": "alice@example.org", "id": 2, "name": "Alice"}],
        }))  # fmt: skip

    def run(self, group: Group | None = None, *, bubblewrap: bool = True) -> subprocess.CompletedProcess:
        """Run what the harness runs; returns output and exit code."""
        words = ["bwrap", "--unshare-pid", "--unshare-net", "--proc", "/proc", "--dev", "/dev"]
        words += ["--perms", "1777", "--tmpfs", "/tmp", "--perms", "1777", "--tmpfs", "/dev/shm"]
        places = [Path(place) for place in (*SYSTEM, "/sys", sys.base_prefix, sys.prefix) if Path(place).exists()]
        for parent in sorted({parent for place in places for parent in place.parents}):
            words += ["--dir", str(parent)]  # else accessible to root only
        for place in places:
            words += ["--ro-bind", str(place), str(place)]
        if not bubblewrap:
            words += ["--ro-bind", "/dev/null", shutil.which("bwrap")]
        for ours, there in ((self.path, "/autograder"), (self.cache, "/cache")):
            words += ["--bind", str(ours), there]
        words += ["--chdir", "/autograder", "--", "/autograder/run_autograder"]
        return subprocess.run(
            words, env=ENVIRONMENT, preexec_fn=group.enter if group else None,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    @property
    def results(self) -> dict | None:
        file = self.path / "results" / "results.json"
        return json.loads(file.read_text()) if file.exists() else None


def measure(submission: Path, mib: int) -> dict[str, float]:
    """Seconds, processes killed for memory, and score, with this much memory."""
    with tempfile.TemporaryDirectory() as folder, limited(mib << 20, SHARE) as group:
        if group is None:
            sys.exit("no limits: this machine lets us make no cgroups (v1)")
        autograder = Autograder(Path(folder) / "autograder")
        autograder.submit({name: (submission / name).read_text() for name in ("model.py", "sampler.py")})
        start = time.perf_counter()
        done = autograder.run(group, bubblewrap=False)
        seconds, results = time.perf_counter() - start, autograder.results or {}
        print(done.stdout[-3000:] if not results else results["output"])
        found = {"mib": mib, "seconds": seconds, "killed": group.killed, "score": results.get("score")}
        print(f"exit code {done.returncode}: {found}", flush=True)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.container", description=__doc__.splitlines()[0])
    parser.add_argument("submission", type=Path)
    parser.add_argument("--mib", type=int, action="append", help=f"of memory; default: {MEMORY >> 20}")
    args = parser.parse_args()
    runs = [measure(args.submission, mib) for mib in args.mib or [MEMORY >> 20]]
    size = next((args.submission / "model.py").open()).strip().strip('"')
    figures = {"submission": size, "processor_share": SHARE, "cuda_build": bool(torch.version.cuda), "runs": runs}
    write("gradescope.json", torch.device("cpu"), figures)


if __name__ == "__main__":
    main()
