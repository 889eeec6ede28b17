"""Measure the reference's speed before a submission is graded, and exit, which frees the memory it took.

python -m grader.platforms.measure_pace SANDBOX CONFIG [key=value …]
"""

import sys
from pathlib import Path

from assignment.ddpm.config import load_config
from assignment.ddpm.device import choose_device
from grader.grading_config import load_grading
from grader.student import deadlines
from grader.submission.fork_server import ForkServer
from grader.submission.sandbox import find_sandbox


def main(sandbox: str, config: str, *overrides: str) -> None:
    settings = load_config(Path(config), overrides)
    device = str(choose_device(settings.runtime.device).value)
    started = []

    def fork_server() -> ForkServer:
        limits = load_grading().limits
        started.append(ForkServer(fork=device == "cpu", sandbox=find_sandbox(sandbox), limits=limits, trusted=True))
        return started[0]

    try:
        deadlines.remembered(settings, fork_server, device)
    finally:
        for each in started:
            each.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
