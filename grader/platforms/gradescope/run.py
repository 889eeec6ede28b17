"""On Gradescope, run once per submission: python -m grader.platforms.gradescope.run

If it fails, it writes no results.json: Gradescope then reports that the autograder failed, and gives no score.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import UserError, run_command
from assignment.ddpm.files import replacing
from grader import ROOT
from grader.errors import GraderFault
from grader.platforms.time_limited import grade_apart
from grader.reports import gradescope
from grader.submission.handed_in import take
from grader.submission.seed import DRAW, choose_seed

AUTOGRADER = Path("/autograder")
SETTINGS, SECRET = "settings.json", "secret"
MINUTES = 9  # Gradescope stops after 10


def grade(settings: dict[str, Any]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # so that the user who grades can enter
        submission = Path(folder) / "submission"
        if problem := take([AUTOGRADER / "submission"], submission).problem:
            page = {"score": 0, "output": f"Nothing could be graded: {problem}", "output_format": "text", "tests": []}
            return json.dumps(page | {"visibility": settings["visibility"]})
        secret = ROOT / SECRET
        seed = choose_seed(submission, None, str(secret) if secret.exists() else DRAW).number
        results = grade_apart(
            submission, seed=seed, minutes=MINUTES, levels=settings["levels"], overrides=["runtime.device=cpu"]
        )
    return gradescope.render(results, settings["visibility"])


def main() -> int:
    """Exit codes: 0 written, 3 the grader itself failed."""
    target = AUTOGRADER / "results" / "results.json"
    target.unlink(missing_ok=True)

    def command() -> None:
        try:
            page = grade(json.loads((ROOT / SETTINGS).read_text()))
        except UserError as error:  # the course's own settings or secret are wrong, not the student's work
            raise GraderFault(str(error)) from error
        with replacing(target) as temporary:
            temporary.write_bytes(page.encode("utf-8", "replace"))

    return run_command(command, exhausted=GraderFault)


if __name__ == "__main__":
    sys.exit(main())
