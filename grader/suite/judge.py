"""The judge of a run: a pytest plugin that owns the workers and the results, and turns outcomes into verdicts."""

import math
import platform
import shlex
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol

from assignment.ddpm import invocation
from assignment.ddpm.config import Config
from assignment.ddpm.errors import CommandError, UserError
from grader import ROOT
from grader.bands import Bands
from grader.check_ids import config_file, id_of, looks_at_training
from grader.errors import GraderFault, TimedOut
from grader.grading_config import load_grading
from grader.grading_options import LEVELS, weights_by_config
from grader.provisional import notes
from grader.reports.latest import remember
from grader.reports.terminal import details
from grader.results import Check, Results, award, cut, level_of
from grader.runs import settings_for
from grader.student.budget import TimeBudget
from grader.submission.fork_server import ForkServer
from grader.submission.handed_in import refuse_no_submission
from grader.submission.mounts import aliases
from grader.submission.sandbox import visible
from grader.submission.seed import DRAW, PUBLIC, Seed, choose_seed
from grader.suite import verdict
from grader.suite.shared_fork_server import shared_fork_server
from grader.worker.limits import describe

if TYPE_CHECKING:  # these import torch, which is not to be imported before the fork server is
    from grader.student.deadlines import Deadlines, Pace
    from grader.submission.process import AnySubmission


JUST_NOW = 60.0  # seconds for which a measurement of the machine counts


class Judge:
    """Owns the workers' fork server and the results of a run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.in_process = config.option.in_process
        # before torch is imported here, so that both processes import it at the same time
        try:
            self.settings = self._settings()
            refuse_no_submission(config.option.submission)
            self.fork_server = None if self.in_process else self._fork_server(fork=platform.system() == "Linux")
        except (GraderFault, UserError) as fault:
            raise pytest.UsageError(str(fault)) from fault
        self.results = Results(config.option.submission, {}, [])
        self.seed = Seed(PUBLIC, "", b"")
        self.checks: dict[str, Check] = {}
        self.bands: dict[str, Bands] = {}  # of the checks that have some
        self.faults: dict[str, list[str]] = {}  # of the grader itself: the exception → the checks that met it
        self.misuse: CommandError | None = None  # what is wrong with the call itself
        self.submission: AnySubmission | None = None
        self.budget = TimeBudget(load_grading().time)
        self.paced: tuple[Config, str, Pace] | None = None  # whose pace the deadlines follow, where, and the pace
        self.looked = -math.inf  # when the machine was last measured
        self.ran_out: set[str] = set()  # checks that met a timeout
        self.trained_configs: list[str] = []  # whose trained weights are asked for
        self.given_weights: dict[str, Path] = {}  # configuration → file
        self.trained_weights: dict[str, Path] = {}

    def _fork_server(self, *, fork: bool, trusted: bool = False) -> ForkServer:
        option = self.config.option
        return shared_fork_server(
            fork=fork, sandbox=option.sandbox, trusted=trusted or option.trusted, private=self._private()
        )  # fmt: skip

    def _settings(self) -> list[Config]:
        """Of each level. Raises UserError for what is wrong with --config or --set."""
        option = self.config.option
        files = sorted({config_file(level, option.config) for level in LEVELS})
        return [settings_for(file, option.set, trusted=option.trusted) for file in files]

    def _private(self) -> tuple[Path, ...]:
        """What no submission may see, where a folder that the sandbox shows has it: images, the secret, results."""
        option = self.config.option
        private = [Path(settings.data.root) for settings in self.settings]
        private += [option.figures, *([Path(option.secret_seed)] if option.secret_seed not in (None, DRAW) else [])]
        usual = visible()
        return tuple(path.resolve() for path in private if aliases([path], usual))

    def deadlines(self, settings: Config, device: str) -> "Deadlines":
        """Deadlines by the reference's pace on this machine."""
        from grader.student import deadlines  # imports torch

        if self.fork_server is None:
            return deadlines.Deadlines(deadlines.UNHURRIED, self.budget)
        fork = self.fork_server.fork
        pace = deadlines.remembered(settings, lambda: self._fork_server(fork=fork, trusted=True), device)
        self.paced = settings, device, pace
        return deadlines.Deadlines(pace, self.budget)

    def _look_at_the_machine(self) -> None:
        """How much slower is it than when the pace was measured? The deadlines follow."""
        from grader.student import deadlines

        assert self.paced and self.fork_server, "no request is sent, and none can time out, before the pace is known"
        settings, device, pace = self.paced
        server = self.fork_server
        with closing(ForkServer(fork=server.fork, sandbox=server.sandbox, limits=server.limits, trusted=True)) as own:
            self.budget.slowdown = deadlines.slowdown(pace, settings, own, device)
        self.looked = time.monotonic()
        self.inform(
            "time", f"ran out once; the machine was then {self.budget.slowdown:.1f} × as slow as when it was measured"
        )

    def fork_server_for(self, device: str) -> ForkServer:
        """A fork server whose workers can use the device: CUDA does not survive a fork."""
        assert self.fork_server is not None, "asked for in the judge's own process"
        if device != "cpu" and self.fork_server.fork:
            self.fork_server = self._fork_server(fork=False)
        return self.fork_server

    def guards(self, device: str) -> list[str]:
        """The protection between the submission and the rest of the machine, in words."""
        if self.fork_server is None:
            return []
        limits = self.fork_server.limits
        own = [] if self.config.option.trusted else ["import block"]
        return ["process boundary", "deadlines", *own, *self.fork_server.sandbox.guards(), describe(limits, device)]

    def inform(self, name: str, says: str) -> None:
        """Record something about the submission that earns no points."""
        self.results.information[name] = cut(says)

    def show(self, picture: Path, title: str, alt: str, caption: str) -> None:
        """Add a picture to the reports; it is stored beside results.json.

        Args:
            alt: what it shows, in words
            caption: how to read it
        """
        self.results.figures.append({"file": picture.name, "title": title, "alt": alt, "caption": caption})

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        option, grading = self.config.option, load_grading()
        ids = [id_of(item) for item in session.items]
        try:
            self.seed = choose_seed(option.submission, option.seed, option.secret_seed)
            self.bands = grading.bands_of({level_of(check_id) for check_id in ids}, option.config, option.set)
            levels = sorted({level for i in ids if looks_at_training(level := level_of(i))})
            files = [config_file(level, option.config) for level in levels]
            self.trained_configs = list(dict.fromkeys(file.stem for file in files))
            self.given_weights = weights_by_config(option.weights, self.trained_configs)
            self.trained_weights = {name: Path(file) for name, _, file in (w.partition("=") for w in option.trained)}
        except UserError as error:
            raise pytest.UsageError(str(error)) from error

        for item, check_id in zip(session.items, ids, strict=True):
            self.checks[item.nodeid] = Check(check_id, claim_of(item), grading.points[check_id])
        self.results = Results(self.config.option.submission, {}, list(self.checks.values()))
        self.results.information |= notes({check.level for check in self.checks.values()}, option.config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Function, nextitem: pytest.Item | None) -> bool:
        """Run a check; if time ran out, once more with deadlines for the machine as it is now."""
        if self.misuse:
            return True  # told once, and the same for every check
        about = {"nodeid": item.nodeid, "location": item.location}
        item.ihook.pytest_runtest_logstart(**about)
        self.budget.start_check()
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        self.budget.start_check()
        if item.nodeid in self.ran_out and self._is_worth_another_try():
            self._look_at_the_machine()
            check = self.checks[item.nodeid]
            vars(check).update(vars(Check(check.id, check.claim, check.max_points)))
            item._initrequest()
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(**about)
        return True

    def _is_worth_another_try(self) -> bool:
        return self.paced is not None and time.monotonic() - self.looked > JUST_NOW and self.budget.left() > 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Function, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        check = self.checks[item.nodeid]
        check.seconds += call.duration
        if call.when == "teardown" or (call.when == "setup" and call.excinfo is None):
            return report
        if isinstance(measured := item.funcargs.get("measured"), dict):
            check.measurements |= measured
        if self.submission:
            check.output = self.submission.take_printed()
        if call.excinfo and is_about_time(call.excinfo.value):
            self.ran_out.add(item.nodeid)
        try:
            verdict.apply(
                check, call.excinfo and call.excinfo.value, in_process=self.in_process, around=self._around(check.id)
            )
        except verdict.Ours:
            assert call.excinfo is not None, "raised for want of a verdict on it"
            if isinstance(error := call.excinfo.value, CommandError) and not isinstance(error, GraderFault):
                self.misuse = error
            else:
                self.faults.setdefault(call.excinfo.exconly(), []).append(check.id)
            return report  # pytest shows it as it is
        award(check, self.bands.get(check.id))
        if check.verdict != "passed":
            report.outcome = "failed"  # never skipped: a check that was not judged has not passed
            report.longrepr = details(check)
            report.verdict = check.verdict  # type: ignore[attr-defined]  # pytest lets plugins add to a report
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.faults:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        elif self.misuse:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        if self.submission:
            self.results.environment["slowdown"] = round(self.budget.slowdown, 2)
            self.submission.close()
        if self.config.option.results and self.results.checks and not self.faults:
            try:
                self.results.save(Path(self.config.option.results))
                remember(self.results, Path(self.config.option.results).parent)
            except OSError as error:  # the verdicts stand all the same
                self.inform("results", f"not written, so `make report` can't show them: {error}")

    def _around(self, check_id: str) -> str:
        """The command that runs a check of this call again, in the judge's process."""
        option = self.config.option
        words = ["--check", check_id, *(["--config", str(shown(option.config))] if option.config else [])]
        words += [word for text in option.set for word in ("--set", text)]
        if option.submission.resolve() != ROOT / "assignment":
            words += ["--submission", str(shown(option.submission))]
        return f"{invocation.pytest()} {shlex.join(words)} --in-process"

    def told_faults(self) -> list[str]:
        """What failed in the grader itself: each cause in a line, however many checks have met it."""
        return [
            f"{checks[0]}{f' and {len(checks) - 1} checks more' if len(checks) > 1 else ''}: {says}"
            for says, checks in self.faults.items()
        ]


def shown(path: Path) -> Path:
    """A path as one types it in the root of the project."""
    return path.resolve().relative_to(ROOT) if path.resolve().is_relative_to(ROOT) else path


def is_about_time(error: BaseException | None) -> bool:
    """Whether it is a timeout, or follows from one."""
    return error is not None and (isinstance(error, TimedOut) or is_about_time(error.__cause__))


def claim_of(test: pytest.Item) -> str:
    """The first paragraph of a test's docstring, in a line: the sentence that a student reads."""
    assert isinstance(test, pytest.Function) and test.function.__doc__, f"{test.nodeid} makes no claim"
    return " ".join(test.function.__doc__.strip().split("\n\n")[0].split())
