"""Measure the reference's own time, before a submission is graded, and end: the memory that it takes is free again.

python -m grader.platforms.measure_pace SANDBOX CONFIG [key=value …]
"""

import sys
from pathlib import Path

from assignment.ddpm.config import load_config
from assignment.ddpm.device import choose_device
from grader import pace
from grader.grading import load_grading
from grader.nursery import Nursery
from grader.sandbox import find_sandbox


def main(sandbox: str, config: str, *overrides: str) -> None:
    settings = load_config(Path(config), overrides)
    device = str(choose_device(settings.runtime.device).value)
    started = []

    def nursery() -> Nursery:
        limits = load_grading().limits
        started.append(Nursery(fork=device == "cpu", sandbox=find_sandbox(sandbox), limits=limits, trusted=True))
        return started[0]

    try:
        pace.remembered(settings, nursery, device)
    finally:
        for each in started:
            each.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
