"""Grade with a training by the course: what needs none comes first, so that it is judged whatever the training does."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from assignment.ddpm.checkpoint import WEIGHTS
from grader.check_ids import check_ids, config_file, needs_training
from grader.grade import grade
from grader.grading_options import GradingOptions
from grader.reports.columns import width
from grader.reports.terminal import summary
from grader.results import Results, level_of
from grader.submission.sandbox import Sandbox
from grader.submission.seed import DRAW
from grader.submission.sources import read_sources
from grader.submission.weights_files import runs_of
from grader.train_submission import train, usable


def grade_with_training(submission: Path, output: Path, options: GradingOptions, sandbox: Sandbox) -> Results:
    """Judge what needs no training, train where no usable weights were handed in, then judge what has been learnt.

    Raises:
        GraderFault, KeyboardInterrupt: as `grade` and `train`
    """

    def judge(options: GradingOptions, only: Callable[[str], bool], *words: str) -> Results | None:
        if not any(only(check) for check in check_ids() if level_of(check) in options.levels):
            return None
        return grade(
            submission, levels=options.levels, config=options.config, overrides=options.overrides, seed=options.seed,
            only=only, summary=False, options=[*options.for_pytest(), f"--figures={output}", *words],
        )  # fmt: skip

    first = judge(options, lambda check: not needs_training(check))
    if first and options.secret_seed == DRAW:
        options = replace(options, secret_seed=None, seed=first.environment["seed"])
    private = [Path(options.secret_seed)] if options.secret_seed not in (None, DRAW) else []
    wanted = [file for file in options.left_to_train().values() if not usable(submission, file, options)]
    trained = train(
        submission, wanted, options.overrides, output, sandbox, options.minutes, private,
        graded={config_file(1, options.config): first} if first and 1 in options.levels else {},
    )  # fmt: skip
    runs = runs_of(output, read_sources(submission).get("model.py", b""))
    weights = [f"--trained={of.stem}={runs / f'{of.stem}-student' / WEIGHTS}" for of in wanted]
    then = judge(options, needs_training, *weights)
    results = merged(first, then) if first and then else first or then
    assert results, "a level has checks"
    results.trainings = [asdict(each) for each in trained]
    print("\n".join(summary(results, width(), submission=submission)[1:]))
    return results


def merged(first: Results, then: Results) -> Results:
    """One result of two gradings of the same submission with the same seed."""
    of = {check.id: check for check in (*first.checks, *then.checks)}
    configs = {name for each in (first, then) for name in each.environment["config"].split(", ")}
    return replace(
        first,
        environment=first.environment | {
            "config": ", ".join(sorted(configs)),
            "configs": first.environment["configs"] | then.environment["configs"],
            "slowdown": max(each.environment["slowdown"] for each in (first, then)),
        },
        checks=[of[check] for check in check_ids() if check in of],
        information=first.information | then.information,
        sha256=first.sha256 | then.sha256,
        weights=then.weights,
        figures=[*first.figures, *then.figures],
    )  # fmt: skip
