"""Grade what needs no trained network, in a separate process, before the platform stops us and discards everything.

The process reports the results so far after every check. When its time is up, these are the results, and the missing
checks say so. If we are root, it runs as another user, who can neither end us nor write where results go.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grader import ROOT
from grader.check_ids import OPTIONAL
from grader.errors import GraderFault
from grader.grading_config import load_grading
from grader.results import DID_NOT_RUN
from grader.submission.sandbox import user_for

LEVELS = (1, 4, 5, 6)  # those with checks that need no training
CONFIG = ROOT / "configs" / "digits.yaml"  # its images come with the grader


def usual_levels() -> tuple[int, ...]:
    """All of them, an optional one only if it gives points."""
    return tuple(level for level in LEVELS if level not in OPTIONAL or level in load_grading().optional_levels)


def grade_apart(
    submission: Path, *, seed: int, minutes: float, levels: Sequence[int] = (), overrides: Sequence[str] = (),
    sandbox: str = "auto",
) -> dict[str, Any]:  # fmt: skip
    """The content of results.json. One level after another, so that each process's memory is freed in between.

    Args:
        levels: if none are given, those of `usual_levels`

    Raises:
        GraderFault: the grader itself failed, nothing is said about the submission
    """
    levels = levels or usual_levels()
    user, share = user_for(os.getpid()), minutes / len(levels)
    with tempfile.TemporaryDirectory(prefix="home-", ignore_cleanup_errors=True) as home:
        if user is not None:
            os.chown(home, user, user)
        request = {
            "submission": str(submission), "config": str(CONFIG), "overrides": list(overrides), "seed": seed,
            "sandbox": sandbox,
        }  # fmt: skip
        whole, *others = [_grade_level(request | {"level": level}, share, Path(home), user) for level in levels]
    for other in others:
        for key in ("score", "max_score", "checks", "information", "figures"):
            whole[key] = whole[key] | other[key] if isinstance(whole[key], dict) else whole[key] + other[key]
    every = sum(load_grading().points.values())
    whole["information"]["judged here"] = (
        f"{whole['max_score']:g} of the {every:g} points of all levels: what needs no trained network"
    )
    return whole


def _grade_level(request: dict[str, Any], minutes: float, home: Path, user: int | None) -> dict[str, Any]:
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "grader.platforms.time_limited_process"],
        cwd=ROOT, pass_fds=[write], env=os.environ | {"HOME": str(home), "TMPDIR": str(home), "USER": "grader"},
        stdin=subprocess.PIPE, start_new_session=True,
        user=user, group=user, extra_groups=None if user is None else [],
    )  # fmt: skip
    assert process.stdin is not None, "a pipe"
    # not as an argument, which all processes can see: the seed is in it
    with contextlib.suppress(BrokenPipeError), process.stdin as asked:
        asked.write(json.dumps(request | {"channel": write}).encode())
    os.close(write)
    line, in_time = _last_line(read, 60 * minutes)
    if not in_time:
        os.killpg(process.pid, signal.SIGKILL)  # its workers die with it
    code = process.wait()
    os.close(read)
    if not line or (in_time and code):
        why = f"ended with exit code {code}" if in_time else f"had judged nothing after {minutes:g} minutes"
        raise GraderFault(f"level {request['level']}: the grading process {why}")
    results = json.loads(line)
    for check in results["checks"]:
        if check["message"] == DID_NOT_RUN:
            check["message"] = f"the {minutes:g} minutes that there are here for a level were over"
            check["hint"] = "Something took too long: this check, or those before it."
    return results


def _last_line(read: int, seconds: float) -> tuple[bytes, bool]:
    """The last complete line received, and whether its writer ended by itself."""
    line, rest, deadline = b"", b"", time.monotonic() + seconds
    while select.select([read], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(read, 1 << 16)
        if not part:
            return line, True
        *lines, rest = (rest + part).split(b"\n")
        line = lines[-1] if lines else line
    return line, False
