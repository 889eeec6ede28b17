"""pytest's --pdb, at the student's own call: in the judge's process (--in-process) it can be reached.

An exception stops at the student's last line. What a check finds afterwards has no line of theirs in its traceback: the
call that the check asked for last is made again, and stops where it enters their code.
"""

import pdb
import sys
from types import FrameType, TracebackType
from typing import Any

import pytest
from _pytest.debugging import PdbInvoke, pytestPDB

from assignment.ddpm import invocation
from grader.checks.finding import CheckFailed
from grader.submission.in_process import InProcessSubmission
from grader.submission.sources import FILES
from grader.suite.judge import Judge

HOW = (
    "--pdb: no debugger reaches your code, which runs in a process of its own; "
    f"add --in-process, as in `{invocation.pytest()} --check contract.shapes --in-process --pdb`"
)


def set_up(config: pytest.Config, judge: Judge) -> None:
    """Take over from pytest's own --pdb. Raises UsageError if the student's code runs elsewhere."""
    if not config.option.usepdb:
        return
    if not judge.in_process:
        raise pytest.UsageError(HOW)
    config.pluginmanager.register(AtTheStudentsCall(judge), "debugger")


class AtTheStudentsCall(PdbInvoke):
    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        session.config.pluginmanager.unregister(name="pdbinvoke")  # which is registered only after this one

    def pytest_exception_interact(self, node: Any, call: pytest.CallInfo[Any], report: Any) -> None:
        submission = self.judge.submission
        assert call.excinfo is not None, "the hook is about an exception"
        if not isinstance(submission, InProcessSubmission):
            return super().pytest_exception_interact(node, call, report)
        files = [str(submission.path.resolve() / name) for name in FILES]
        error = call.excinfo.value
        if own := last_of(error.__traceback__, files):
            own.tb_next = None  # what torch did below it is nobody's fault
            return super().pytest_exception_interact(node, call, report)
        if isinstance(error, CheckFailed) and submission.asked:
            say(node, report.longrepr, "the call again that the check asked for last: n steps, c goes on, q quits")
            stop_on_entry(files, submission.ask_again)
        return None


def last_of(tb: TracebackType | None, files: list[str]) -> TracebackType | None:
    """The last entry of a traceback that lies in one of the files."""
    found = None
    while tb is not None:
        if tb.tb_frame.f_code.co_filename in files:
            found = tb
        tb = tb.tb_next
    return found


def say(node: Any, *lines: str) -> None:
    writer = node.config.get_terminal_writer()
    for line in lines:
        writer.line(f"\n{line}")


def stop_on_entry(files: list[str], work: Any) -> None:
    """Do the work; a debugger opens when it first enters one of the files."""
    debugger: pdb.Pdb = pytestPDB._init_pdb("at your own call")

    def on_call(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename in files:
            sys.settrace(None)
            debugger.set_trace(frame)

    sys.settrace(on_call)
    try:
        work()
    finally:
        sys.settrace(None)
