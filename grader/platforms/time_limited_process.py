"""The process in which a platform's submission is graded, which reports the results so far after every check.

Started by grader.platforms.time_limited, which sends the task through a pipe.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, TextIO

import pytest

from assignment.ddpm.errors import run_command
from grader.check_ids import needs_training
from grader.errors import GraderFault
from grader.worker.processes import hide_memory


class Teller:
    """A pytest plugin: after every check it writes the results so far as a line of JSON."""

    def __init__(self, channel: TextIO) -> None:
        self.channel = channel

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        done = yield
        judge: Any = item.config.pluginmanager.get_plugin("judge")  # a Judge
        print(json.dumps(judge.results.to_json()), file=self.channel, flush=True)
        return done


def main(submission: str, channel: int, level: int, config: str, overrides: list[str], seed: int, sandbox: str) -> int:
    """Exit codes: 0 graded, 3 the grader itself failed."""
    hide_memory()  # and with it the channel to the parent
    subprocess.run([sys.executable, "-m", "grader.platforms.measure_pace", sandbox, config, *overrides], check=True)

    from grader.grade import grade  # imports torch

    def command() -> None:
        with os.fdopen(channel, "w") as told:
            grade(
                Path(submission), levels=[level], config=Path(config), overrides=overrides, seed=seed,
                only=lambda check: not needs_training(check),
                options=[
                    f"--sandbox={sandbox}", f"--figures={tempfile.gettempdir()}",
                ],
                plugins=[Teller(told)],
            )  # fmt: skip

    return run_command(command, exhausted=GraderFault)


if __name__ == "__main__":
    sys.exit(main(**json.loads(sys.stdin.buffer.read())))
