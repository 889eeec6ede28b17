"""From the exception that a check raised to a verdict."""

from grader.checks.finding import CheckFailed, NotJudged
from grader.errors import GraderFault, SubmissionFailed
from grader.results import MAX_LENGTH, Check, cut
from grader.suite.error_hints import error_hint


class Ours(Exception):
    """A check itself crashed, which says nothing about the submission."""


def apply(
    check: Check, error: BaseException | None, *, in_process: bool, around: str = "--in-process"
) -> None:  # fmt: skip
    """Fill in a check's verdict, message and hint. Raises Ours for an exception that no submission can cause.

    Args:
        around: see `error_hint`
    """
    if error is None:
        check.verdict, check.message = "passed", ""
    elif isinstance(error, CheckFailed):
        check.verdict, check.message, check.hint = "failed", error.message, error.hint
        check.measurements |= error.measurements
    elif isinstance(error, NotJudged):
        check.verdict, check.message = "not_judged", str(error)
        check.measurements |= error.measurements
    elif isinstance(error, SubmissionFailed):
        check.verdict, check.message, check.location = error.verdict, error.message, error.location
        check.trace, check.output = error.trace, error.output or check.output
        check.hint = error_hint(error, check.level, around)
    elif in_process and not isinstance(error, GraderFault):
        check.verdict, check.message = "error", f"{type(error).__name__}: {error}"
        check.hint = error_hint(error, check.level, around)
    else:
        raise Ours from error
    for name, longest in MAX_LENGTH.items():
        setattr(check, name, cut(getattr(check, name), longest))
