"""The ways in which a submission can fail to answer, and the grader can fail to judge."""

import difflib
from contextlib import suppress
from pathlib import Path

from assignment.ddpm.errors import CommandError


class GraderFault(CommandError):
    """Our own code or the machine failed; nothing is said about the submission."""

    exit_code = 3
    opening = "the grader failed, nothing is said about the submission"


def file_meant(file: Path, inside: str = "") -> str:
    """`; did you mean …?`, after the name of a file that can't be read; empty where nothing is like it.

    Args:
        inside: the file that is meant where its folder is named
    """
    near: list[str] = []
    with suppress(OSError):  # its folder can't be read, either
        if inside and (file / inside).is_file():
            return f"; did you mean {file / inside}?"
        if not file.exists():
            beside = [each.name for each in file.parent.iterdir() if each.is_file()]
            near = difflib.get_close_matches(file.name, beside, n=1)
    return f"; did you mean {file.parent / near[0]}?" if near else ""


class SubmissionFailed(Exception):
    """The submission did not answer. `verdict` is the word used in results.json."""

    verdict = "error"

    def __init__(self, message: str, *, location: str = "", trace: str = "", output: str = "") -> None:
        super().__init__(message)
        self.message, self.location, self.trace, self.output = message, location, trace, output


class Raised(SubmissionFailed):
    """The student's code raised an exception, or ended its process."""


class NotImplementedYet(SubmissionFailed):
    """A stub of the starter was reached."""

    verdict = "failed"


class TimedOut(SubmissionFailed):
    verdict = "timeout"


class OutOfMemory(SubmissionFailed):
    verdict = "out_of_memory"
