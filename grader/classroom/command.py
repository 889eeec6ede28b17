"""Grade a class.

python -m grader class SUBMISSIONS --output DIR [--roster FILE] [--dry-run] [--executor local|slurm] [key=value …]
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from assignment.ddpm.config import load_config
from assignment.ddpm.errors import UserError, run_command
from assignment.ddpm.files import only_one, replacing
from grader import __version__
from grader.check_ids import config_file
from grader.classroom import audit, changes, history, preview
from grader.classroom.adjustments import adjusted, find_student, in_words, read_adjustments, shared, with_own, write
from grader.classroom.arguments import TRAINING, parse
from grader.classroom.groups import for_all, graded_alone, share
from grader.classroom.hand_ins import NAMED, SETTINGS, STUDENTS, HandedIn, find, one_level_too_high, strangers
from grader.classroom.jobs import RESULTS, files_of, is_complete
from grader.classroom.outcome import ClassOutcome
from grader.classroom.page import warning
from grader.classroom.rescoring import Stored, keep_grading, refuse_another_grading, rescore
from grader.classroom.resources import Resources, choose_resources
from grader.classroom.retrain import Finding, Retraining, chosen, handed_in_on
from grader.classroom.sitting import Sitting
from grader.classroom.stored import ROSTER
from grader.classroom.tables import write_class
from grader.errors import GraderFault
from grader.grading_config import load_grading
from grader.grading_options import GradingOptions
from grader.provisional import notes
from grader.results import level_of
from grader.submission.handed_in import Taken, take
from grader.submission.sandbox import find_sandbox
from grader.submission.weights_files import place


def keep_settings(output: Path, arguments: list[str], rescore: bool = False) -> None:
    """Store the settings of a class. Raises UserError if the folder holds a class graded with others.

    Args:
        rescore: whether results of another grader are to be replaced
    """
    settings = {"grader": __version__, "arguments": arguments}
    file = output / SETTINGS
    if file.exists():
        try:
            before = json.loads(file.read_text())
        except ValueError as error:
            says = f"{file}: can't be read: {error}; delete it, and give the options that the class was graded with"
            raise UserError(says) from error
        if before.get("grader") != __version__ and not rescore:
            raise UserError(f"{output} holds a class that was graded with another grader; expected a new --output")
        if (then := before.get("arguments", [])) != arguments:
            before, now = _options(then), _options(arguments)
            was, given = (" ".join(each for each in a if each not in b) for a, b in ((before, now), (now, before)))
            raise UserError(
                f"{output} holds a class that was graded {f'with {was}' if was else f'without {given}'}"
                f"{f', and now it is {given}' if was and given else ''}; expected the same options, or a new --output"
            )
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(settings, indent=1) + "\n")


def _options(words: list[str]) -> list[str]:
    """Each with its value: --level 4, --train, a.b=1"""
    found: list[str] = []
    for word in words:
        if found and re.fullmatch(r"--(?!train$)[\w-]+", found[-1]) and not word.startswith("--"):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def run(args: argparse.Namespace, options: GradingOptions) -> int:
    grading = load_grading()
    grading.bands_of(options.levels, options.config, options.overrides)  # says in time what is wrong with them
    check_ids = {check for check in grading.points if level_of(check) in options.levels}
    if args.output and args.roster is None and (kept := args.output / ROSTER).is_file():
        print(f"roster: the one that was given last, {kept} (another with --roster FILE)", file=sys.stderr)
        args.roster = kept
    found, strays = find(args.submissions, args.roster, args.output)
    handed_in = share(found)
    if strays:
        print(f"not hand-ins, and left out: {', '.join(strays)}", file=sys.stderr)
    if asks := one_level_too_high(found):
        print(asks, file=sys.stderr)
    find_sandbox(options.sandbox)
    files = {config_file(level, options.config) for level in options.levels}
    devices = {load_config(file, options.overrides).runtime.device for file in files}
    resources = choose_resources(args, "cpu" if devices == {"cpu"} else "auto")
    args.again = [find_student(name, handed_in) for name in args.again]
    if args.output:
        args.output = args.output.resolve()
        if args.rescore and not (args.output / STUDENTS).is_dir():
            raise UserError(f"{args.output} holds no graded class; --rescore expects one")
        if not args.rescore:
            refuse_another_grading(
                args.output, [args.output / STUDENTS / work.folder for work in graded_alone(handed_in)]
            )
    if args.adjustments:  # what is wrong in it is said before any work is done, and what is right, too
        print(in_words(read_adjustments(args.adjustments, handed_in)), file=sys.stderr)
    if args.dry_run:
        return preview.show(args, options, handed_in, check_ids, resources)
    args.output.mkdir(parents=True, exist_ok=True)
    with only_one(args.output / ".lock", f"{args.output}: another command is grading this class"):
        return grade_class(args, options, handed_in, check_ids, resources)


def take_all(handed_in: list[HandedIn], folders: dict[str, Path], configs: Sequence[str]) -> dict[str, Taken]:
    """Student → what was taken into their folder, with weights of these configurations, or why nothing was."""
    taken = {work.student: Taken(problem=work.problem) for work in handed_in}
    for work in handed_in:
        if not work.problem:
            try:
                taken[work.student] = take(list(work.places), folders[work.student] / "submission", configs)
            except OSError as error:
                taken[work.student] = Taken(problem=f"it can't be copied: {error}")
    return taken


def grade_class(
    args: argparse.Namespace, options: GradingOptions, handed_in: list[HandedIn], check_ids: set[str],
    resources: Resources,
) -> int:  # fmt: skip
    keep_settings(args.output, options.words(), args.rescore)
    keep_grading(args.output)
    adjustments = adjusted(args.output, args.adjustments, handed_in)
    for reference, note in notes(options.levels, options.config).items():
        print(f"{reference}: {note}", file=sys.stderr)
    sitting = Sitting(args.output, resources)
    alone = graded_alone(handed_in)
    folders = {work.student: args.output / STUDENTS / work.folder for work in alone}
    taken = take_all(alone, folders, list(options.trained_configs()))
    problems = {student: of.problem for student, of in taken.items() if of.problem}
    for work in args.again:
        history.set_aside(folders[work.same_as or work.student])
    rescored = Stored()
    if args.rescore:
        stays, rescored = rescore(args.output, _without(folders, problems), options, check_ids, sitting.grade_some)
        problems |= stays
    problems |= grade_waiting(sitting, _without(folders, problems), options, check_ids)
    of_all = shared(handed_in, adjustments)  # what the report of a group may say to each of them
    graded = {
        student: write(folder, json.loads((folder / RESULTS).read_text()), of_all.get(student, []))
        for student, folder in _without(folders, problems).items()
    }
    for student in (student for student in graded if student in rescored):
        print(changes.line(student, rescored[student], graded[student]))
    audited = audit_some(args, options, sitting, _without(folders, problems)) if args.audit else {}
    retrained = trained_again(args, options, sitting, graded, folders) if args.retrain else {}
    outcome = ClassOutcome(
        handed_in, with_own(for_all(handed_in, graded), adjustments), for_all(handed_in, problems),
        for_all(handed_in, taken), audited, retrained, adjustments,
    )  # fmt: skip
    for file in write_class(args.output, outcome, args.roster):
        print(file)
    if left := _left(args.output, handed_in):
        print(f"of nobody who is listed now, and left as it was: {left}", file=sys.stderr)
    return sum_up(outcome)


def _left(output: Path, handed_in: Sequence[HandedIn]) -> str:
    """Folders of students that were graded before under a name that nobody has now; empty if there are none."""
    now = {work.folder for work in handed_in}
    names = sorted(place.name for place in (output / STUDENTS).glob("*") if place.name not in now)
    more = f" and {len(names) - NAMED} more" if names[NAMED:] else ""
    return f"{STUDENTS}/{f'; {STUDENTS}/'.join(names[:NAMED])}{more}" if names else ""


def _without(folders: dict[str, Path], problems: dict[str, str]) -> dict[str, Path]:
    return {student: folder for student, folder in folders.items() if student not in problems}


def grade_waiting(
    sitting: Sitting, waiting: dict[str, Path], options: GradingOptions, check_ids: set[str]
) -> dict[str, str]:
    """Grades who has no complete results yet; student → why somebody could not be graded."""
    undone = {
        who: folder
        for who, folder in waiting.items()
        if not is_complete(folder / RESULTS, files_of(folder), frozenset(check_ids))
    }
    for folder in undone.values():
        history.set_aside(folder)  # results of other files than are handed in now
    if options.train:
        wanted = {
            student: [of for of in options.configs_to_train() if not place(folder / "submission", of).is_file()]
            for student, folder in undone.items()
        }
        if to_train := {student: waiting[student] for student, configs in wanted.items() if configs}:
            print(sitting.estimate(to_train, wanted, options), file=sys.stderr)
    outcomes = sitting.grade(waiting, options.words(), check_ids)
    return {student: outcome.problem for student, outcome in outcomes.items() if outcome.problem}


def audit_some(
    args: argparse.Namespace, options: GradingOptions, sitting: Sitting, graded: dict[str, Path]
) -> dict[str, list[str]]:
    """Student → what differs in a second grading, for the share that is drawn."""
    again = {student: graded[student] for student in audit.chosen(list(graded), args.audit)}
    return sitting.audit(again, Path(options.secret_seed) if options.secret_seed else None)


def sum_up(of: ClassOutcome) -> int:
    """The last lines; the exit code."""
    failed = len(of.problems) - len(of.missing)
    if of.audited:
        differ = f"{len(of.differ)} differ" if of.differ else "every verdict stands"
        print(f"{len(of.audited)} graded again: {differ}")
    if of.retrained:
        counts = Counter(found.verdict for found in of.retrained.values())
        print(f"{len(of.retrained)} trained again: {', '.join(f'{n} {verdict}' for verdict, n in counts.items())}")
    print(f"{len(of.graded)} graded, {len(of.missing)} handed nothing in, {failed} could not be graded")
    if unknown := strangers(of.handed_in):
        print(unknown)
    if says := warning(of.graded):
        print(f"NOT A FULL GRADE: {says}")
    return 1 if failed or of.differ else 0


def trained_again(
    args: argparse.Namespace, options: GradingOptions, sitting: Sitting, graded: dict[str, dict[str, Any]],
    folders: dict[str, Path],
) -> dict[str, Finding]:  # fmt: skip
    """Student → what came of training their code, for the share that the secret chooses."""
    config = config_file(2, options.config)
    handed_in = [student for student, results in graded.items() if handed_in_on(results, config.stem)]
    again = replace(options, levels=(2,), train=True, minutes=TRAINING * args.minutes)
    checks = frozenset(check for check in load_grading().points if level_of(check) == 2)
    students = chosen(handed_in, args.retrain, Path(args.secret_seed).read_bytes())
    return sitting.retrain(
        {student: folders[student] for student in students}, Retraining(tuple(again.words()), config, checks)
    )


def main(argv: list[str]) -> int:
    """Exit codes: 0 all were graded, 1 some could not be, or a verdict does not stand, 2 the call is wrong, 3 the
    grader failed, 130 interrupted."""
    return run_command(
        lambda: run(*parse(argv)), interrupted="the same command resumes where it stopped", exhausted=GraderFault
    )
