"""Grade one folder: run the tests in grader/test_level*.py on it, in this process, and return the results."""

import io
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from grader import ROOT
from grader.errors import GraderFault
from grader.results import Results
from grader.suite.judge import Judge


class _Keeper:
    """A pytest plugin that keeps the judge after pytest has dropped it."""

    judge: Judge | None = None

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        self.judge = config.pluginmanager.get_plugin("judge")


def grade(
    submission: Path, *, levels: Sequence[int], config: Path | None, overrides: Sequence[str] = (),
    seed: int | None = None, quiet: bool = False, options: Sequence[str] = (), plugins: Sequence[object] = (),
) -> Results:  # fmt: skip
    """Judge `submission` on the given levels.

    Args:
        config: the configuration to grade on; None for each level's own
        options: further options of pytest, such as -k or --junitxml
        plugins: further plugins of pytest, beside the grader's own
    Raises:
        GraderFault: the grader itself failed; nothing is said about the submission
        KeyboardInterrupt: after Ctrl-C, once the worker is gone
    """
    keeper = _Keeper()
    files = [str(ROOT / "grader" / f"test_level{level}.py") for level in levels]
    arguments = [
        *files, f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}", "-p", "no:cacheprovider",
        "--assert=plain",
        f"--submission={submission}", *(f"--set={text}" for text in overrides), *options,
    ]  # fmt: skip
    if config is not None:
        arguments.append(f"--config={config}")
    if seed is not None:
        arguments.append(f"--seed={seed}")
    unheard = io.StringIO()
    with ExitStack() as stack:
        if quiet:
            stack.enter_context(redirect_stdout(unheard))
            stack.enter_context(redirect_stderr(unheard))
        try:
            code = pytest.main([*arguments, "--no-header", "-q"], plugins=[keeper, *plugins])
        except Exception as error:
            raise GraderFault(f"pytest failed: {type(error).__name__}: {error}") from error
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    judge = keeper.judge
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or judge is None or judge.faults:
        raise GraderFault("; ".join(judge.faults) if judge and judge.faults else f"pytest ended with {code!r}")
    return judge.results
