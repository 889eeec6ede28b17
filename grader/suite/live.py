"""The checks as they are judged, in the terminal: a row for each, and a clock while one is under way."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from _pytest._io import TerminalWriter

from grader.check_ids import name_of
from grader.reports.columns import width
from grader.reports.rows import Rows
from grader.reports.terminal import details, summary
from grader.reports.wording import disarmed, printable
from grader.results import Check
from grader.suite.clock import NoClock, clock_for
from grader.suite.judge import Judge

QUIET = -2  # pytest's verbosity at which it prints nothing of its own but errors


class Live:
    """Prints what the judge finds, in place of pytest's letters, header and last line."""

    def __init__(self, config: pytest.Config, judge: Judge) -> None:
        self.config, self.judge = config, judge
        option = config.option
        watched = option.capture != "no" and not option.usepdb and not option.trace and not judge.in_process
        self.clock = clock_for(sys.stdout) if watched else NoClock()
        self.rows: Rows | None = None
        self.done = 0
        option.details |= option.verbose > 0
        option.verbose = QUIET

    @property
    def writer(self) -> TerminalWriter:
        """pytest's own, which knows whether there are colours."""
        return self.config.get_terminal_writer()

    def pytest_sessionstart(self) -> None:
        self.clock.show("starting")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.clock.clear()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        name = name_of(self.judge.checks[nodeid].id)
        self.clock.show(f"{self.done + 1} of {len(self.judge.checks)}: {name}")

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.clock.clear()
        self.done += 1
        if not self.judge.faults and not self.judge.misuse:
            self._print_row(self.judge.checks[nodeid])

    def _print_row(self, check: Check) -> None:
        if self.rows is None:
            ids = [each.id for each in self.judge.checks.values()]
            self.rows = Rows(
                ids, width(), self.writer.markup,
                environment=self.judge.results.environment, submission=self.config.option.submission,
            )  # fmt: skip
        self._print(self.rows.of(check))

    def _print(self, lines: list[str]) -> None:
        for line in lines:
            self.writer.line(disarmed(line))
        self.writer.flush()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Without the clock, as something else has the terminal."""
        says = self.clock.clear()
        try:
            yield
        finally:
            if says:
                self.clock.show(says)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """No letter and no word: the row says it."""
        if report.passed and report.when != "call":
            return None
        verdict = getattr(report, "verdict", None)
        return "not judged" if verdict == "not_judged" else report.outcome, "", ""

    def pytest_sessionfinish(self) -> None:
        self.clock.clear()
        if self.rows is not None:
            self._print(self.rows.end())

    def pytest_terminal_summary(self) -> None:
        results, option = self.judge.results, self.config.option
        if self.judge.misuse:
            self._print([f"error: {printable(line)}" for line in str(self.judge.misuse).splitlines()])
        elif self.judge.faults:
            for fault in self.judge.told_faults():
                self._print([f"the grader itself failed, nothing is said about the submission: {printable(fault)}"])
        elif self.done and not option.rows_only:
            self._print(summary(results, width(), self.writer.markup, submission=option.submission)[1:])
            if option.details:
                for check in results.checks:
                    if check.verdict != "passed":
                        self._print(["", details(check)])
