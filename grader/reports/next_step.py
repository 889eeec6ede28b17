"""What a student does next: the one step, and the check that is closest to passing."""

from pathlib import Path

from assignment.ddpm import invocation
from grader import ROOT
from grader.check_ids import LEVEL_CONFIGS, OPTIONAL, check_ids, config_file, name_of
from grader.reports.wording import one_line
from grader.results import LADDER, TRAIN_WITH, UNTRAINED, UNWRITTEN, Check, Results, level_of, to_look_at

OWN = ROOT / "assignment"


def closest(results: Results) -> str:
    """The failed check whose value is nearest to its limit, and how far it is; empty where none has such a value."""
    margins = {
        check.id: margin for check in results.checks
        if check.verdict == "failed" and -1 < (margin := _margin(check)) < 0
    }  # fmt: skip
    if not margins:
        return ""
    nearest = max(margins, key=margins.__getitem__)
    return f"Closest to passing: {name_of(nearest)}, {-100 * margins[nearest]:.2g}% from its limit"


def _margin(check: Check) -> float:
    margin = check.measurements.get("margin")
    return float(margin) if isinstance(margin, (int, float)) else 0.0


def next_step(results: Results, submission: Path | None = None) -> tuple[str, str]:
    """What leads on, and the command to type, if there is one, or two in lines: to be copied, so they are never broken.

    Args:
        submission: the folder that was graded, if the reader is to grade it again under that name
    """
    first = next(iter(to_look_at([(c.id, c.verdict, c.message) for c in results.checks])), None)
    if first is None:
        says, command = _onward(results, submission)
        return f"Next: {says}", command
    check = results.checks[first]
    again = _command(check.level, results, submission, only=name_of(check.id))
    trains_it = submission is None or submission.resolve() == OWN  # as main.py does, with no other folder
    if trains_it and check.message.startswith(UNTRAINED):
        return "Next: train your network, then grade it again", _training(check.level, results, submission)
    if trains_it and check.verdict == "failed" and TRAIN_WITH in check.measurements:
        settings = str(check.measurements[TRAIN_WITH])
        what = "train longer" if settings else f"improve the network ({LADDER}), train it"
        return f"Next: {what}, then grade it again", _training(check.level, results, submission, settings)
    if check.verdict == "not_judged":
        return f"Next: {name_of(check.id)} was not judged: {one_line(check.message)}", ""
    if check.message.startswith(UNWRITTEN):
        where = check.location or name_of(check.id)
        return f"Next: write what is missing at {where}, then run", again
    return f"Next: fix {name_of(check.id)}, then run", again


def _onward(results: Results, submission: Path | None) -> tuple[str, str]:
    """What is left to do when all that was judged has passed."""
    judged = {check.id for check in results.checks}
    for level in sorted({check.level for check in results.checks}):
        if not judged.issuperset(of_level := [i for i in check_ids() if level_of(i) == level]):
            left = len(set(of_level) - judged)
            return f"{left} checks of this level were left out", _command(level, results, submission)
    asked_for = [level for level in LEVEL_CONFIGS if level not in OPTIONAL]
    left_out = [level for level in asked_for if level not in {check.level for check in results.checks}]
    if left_out:
        return f"level {left_out[0]}", _command(left_out[0], results, submission)
    return "all checks passed; pack what you hand in", invocation.make("submit")


def _command(level: int, results: Results, submission: Path | None, *, only: str = "") -> str:
    words = [f"K={only}"] if only else []
    if config := _shown(results.environment.get("config_file", "")):
        words.append(f"CONFIG={config}")
    if submission is not None and submission.resolve() != OWN:
        words.append(f"SUBMISSION={submission}")
    return invocation.make(f"test-level{level}", *words)


def _training(level: int, results: Results, submission: Path | None, settings: str = "") -> str:
    """Train on the level's configuration, which always has to be named, and grade the level again."""
    given = results.environment.get("config_file", "")
    shown = _shown(str(config_file(level, Path(given)))) if given else ""
    config = shown or f"configs/{LEVEL_CONFIGS[level]}.yaml"
    words = [f"CONFIG={config}", *([f"ARGS={settings}"] if settings else [])]
    return f"{invocation.make('train', *words)}\n{_command(level, results, submission)}"


def _shown(config: str) -> str:
    """A configuration as it is typed in the root of the project; empty for one that lies elsewhere."""
    file = Path(config).resolve()
    return file.relative_to(ROOT).as_posix() if config and file.is_relative_to(ROOT) else ""
