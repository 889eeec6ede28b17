"""On Classroom 50, run once per submission: python -m grader.platforms.classroom50.run CHECKOUT

Writes result.json there, and release-body.md for the student. If it fails, Classroom 50 records an error.
"""

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from assignment.ddpm.errors import run_command
from assignment.ddpm.files import replacing
from grader.check_ids import needs_training
from grader.errors import GraderFault
from grader.grading_config import load_grading
from grader.platforms.time_limited import grade_apart, usual_levels
from grader.reports import classroom50, github_summary
from grader.reports.github import commands_off, inline
from grader.results import level_of
from grader.submission.handed_in import take
from grader.submission.seed import DRAW, choose_seed

MINUTES = 10  # the job is stopped after 15, which include installing PyTorch
SANDBOX = "required"  # without one, a student's code could write its own result.json
MAX_BODY = 120_000  # characters; GitHub accepts 125,000 for a release


def grade(checkout: Path) -> tuple[str, str]:
    """result.json and release-body.md."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # so that the user who grades can enter
        submission = Path(folder) / "submission"
        if problem := take([checkout], submission).problem:
            return nothing_handed_in(problem, checkout), f"## Nothing could be graded\n\n{inline(problem)}\n"
        seed = choose_seed(submission, None, DRAW).number
        with commands_off():
            results = grade_apart(submission, seed=seed, minutes=MINUTES, sandbox=SANDBOX)
    return classroom50.render(results, committed=committed(checkout)), github_summary.render(results)


def committed(checkout: Path) -> str:
    """When the graded commit was made, in UTC: Classroom 50 counts late days from it; empty if git can't say."""
    git = ["git", "-c", "safe.directory=*", "-C", str(checkout)]
    command = [*git, "show", "-s", "--no-show-signature", "--format=%ct", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return datetime.fromtimestamp(int(done.stdout), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OSError, ValueError, subprocess.CalledProcessError):
        return ""


def nothing_handed_in(problem: str, checkout: Path) -> str:
    points = load_grading().points
    most = round(sum(points[i] for i in points if level_of(i) in usual_levels() and not needs_training(i)))
    test = {"test-name": "handed in", "passed": False, "score": 0, "max-score": most, "message": inline(problem)}
    page = {"schema": "classroom50/result/v1"} | classroom50.identity(os.environ, committed(checkout))
    return json.dumps(page | {"score": 0, "max-score": most, "tests": [test]}) + "\n"


def main(checkout: str) -> int:
    """Exit codes: 0 graded, 2 not called by Classroom 50's runner, 3 the grader itself failed."""
    return run_command(lambda: run(checkout), exhausted=GraderFault)


def run(checkout: str) -> None:
    classroom50.identity(os.environ)
    result, body = grade(Path(checkout))
    pages = {"result.json": result} | ({"release-body.md": body} if len(body) <= MAX_BODY else {})
    for name, page in pages.items():
        with replacing(Path(checkout) / name) as temporary:
            temporary.write_bytes(page.encode("utf-8", "replace"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
