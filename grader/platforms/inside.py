"""The process in which a platform's submission is graded; started by grader.platforms.apart with what it is to do."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from grader.errors import GraderFault
from grader.platforms import so_far
from grader.processes import hide_memory


def main(submission: str, channel: int, level: int, config: str, overrides: list[str], seed: int, sandbox: str) -> int:
    """Exit codes: 0 graded, 3 the grader itself failed."""
    hide_memory()  # and with it the channel
    subprocess.run([sys.executable, "-m", "grader.platforms.measure_pace", sandbox, config, *overrides], check=True)

    from grader.grade import grade  # imports torch

    try:
        with os.fdopen(channel, "w") as so_far.channel:
            grade(
                Path(submission), levels=[level], config=Path(config), overrides=overrides, seed=seed,
                options=[
                    "-m", "not trained", "-p", "grader.platforms.so_far", f"--sandbox={sandbox}",
                    f"--figures={tempfile.gettempdir()}",
                ],
            )  # fmt: skip
    except GraderFault as fault:
        print(f"the grader failed, nothing is said about the submission: {fault}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(**json.loads(sys.argv[1])))
