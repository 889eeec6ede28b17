"""Grade a class.

python -m grader class SUBMISSIONS --output DIR [--roster FILE] [--dry-run] [--executor local|slurm] [key=value …]
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from assignment.ddpm.config import load_config
from assignment.ddpm.errors import Parser, UserError, run_command
from assignment.ddpm.files import only_one, replacing
from grader import __version__
from grader.check_ids import config_file
from grader.classroom import audit, changes, history, preview
from grader.classroom.adjustments import adjusted, find_student, in_words, read_adjustments, write
from grader.classroom.groups import for_all, graded_alone, share
from grader.classroom.hand_ins import NOTHING, SETTINGS, STUDENTS, HandedIn, find
from grader.classroom.jobs import RESULTS, files_of, is_complete
from grader.classroom.page import warning
from grader.classroom.rescoring import Stored, keep_grading, refuse_another_grading, rescore
from grader.classroom.resources import Resources, choose_resources
from grader.classroom.retrain import Finding, Retraining, chosen, handed_in_on
from grader.classroom.sitting import Sitting
from grader.classroom.tables import write_class
from grader.errors import GraderFault
from grader.grading_config import load_grading
from grader.grading_options import GradingOptions, add_options
from grader.provisional import notes
from grader.results import level_of
from grader.submission.handed_in import Taken, take
from grader.submission.sandbox import find_sandbox
from grader.submission.seed import read_secret
from grader.submission.weights_files import place

TRAINING = 2 / 3  # of a job's time limit, at most, for training: the rest is for judging what it has learnt


def parse(argv: list[str]) -> tuple[argparse.Namespace, GradingOptions]:
    """The arguments and the options. Raises UserError for anything invalid."""
    parser = Parser(
        prog="python -m grader class", description=__doc__.splitlines()[0], allow_abbrev=False,
        epilog="exit 0: everything handed in was graded; 1: some could not be, or a verdict does not stand; "
        "2: the call or a file is wrong",
    )  # fmt: skip
    add = parser.add_argument
    add("submissions", type=Path, metavar="SUBMISSIONS", help="a folder with one folder or zip file per student")
    add("--output", type=Path, metavar="DIR", help="results: class.csv, class.html, students/")
    add(
        "--roster",
        type=Path,
        metavar="FILE",
        help="CSV with a column `student`, and perhaps `group`; others go into class.csv",
    )
    add("--dry-run", action="store_true", help="list who would be graded, from which files, and what it takes")
    add("--executor", choices=("local", "slurm"), default="local", help="this machine, or an array of Slurm jobs")
    add(
        "--jobs",
        type=int,
        metavar="N",
        help="jobs at a time; default: as many as the GPUs or cores allow, on Slurm 256",
    )
    add("--cpus", type=int, default=1, metavar="N", help="CPU cores per job; default: %(default)s")
    add("--gpus", type=int, metavar="N", help="GPUs per job; default: 1 if this machine has any, on Slurm 0")
    add("--memory-gb", type=int, default=8, metavar="N", help="memory per job, on Slurm; default: %(default)s")
    add(
        "--minutes",
        type=int,
        default=60,
        metavar="N",
        help="time limit of a job, two thirds of it for training; default: 60",
    )
    add("--partition", default="", metavar="NAME", help="Slurm's partition")
    add(
        "--rescore", action="store_true", help="after a change of configs/grading.yaml: points anew from what is stored"
    )
    add("--again", action="append", default=[], metavar="STUDENT", help="grade this student again; may be repeated")
    add("--adjustments", type=Path, metavar="FILE", help="CSV with student, points (to be added), reason; remembered")
    add("--audit", metavar="SHARE", help="afterwards grade this share again, such as 10%%, and compare")
    add("--retrain", metavar="SHARE", help="train this share of the weights handed in from their code, and compare")
    add_options(parser, "--level", "--config", "--train", "--secret-seed", "--sandbox")
    args = parser.parse_intermixed_args(argv)
    options = GradingOptions.of(args)
    options = replace(options, minutes=TRAINING * args.minutes if args.train else None)
    for name in ("jobs", "cpus", "memory_gb", "minutes"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} {value}: expected at least 1")
    if args.gpus is not None and args.gpus < 0:
        raise UserError(f"--gpus {args.gpus}: expected at least 0")
    if not (args.output or args.dry_run):
        raise UserError("--output is missing: expected a folder for the results")
    if args.secret_seed:
        read_secret(args.secret_seed)  # what is wrong with it would else be found by every job
    if args.audit:
        args.audit = audit.share_of("--audit", args.audit)
    if args.retrain:
        args.retrain = audit.share_of("--retrain", args.retrain)
        if not args.secret_seed:
            raise UserError("--retrain: expected --secret-seed FILE as well, which says who is chosen")
        if 2 not in options.levels:
            raise UserError("--retrain: expected level 2 among the levels, whose loss is compared")
    return args, options


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
            raise UserError(f"{file}: can't be read: {error}") from error
        if before.get("grader") != __version__ and not rescore:
            raise UserError(f"{output} holds a class that was graded with another grader; expected a new --output")
        if (then := before.get("arguments", [])) != arguments:
            was, now = (
                " ".join(word for word in a if word not in b) for a, b in ((then, arguments), (arguments, then))
            )
            raise UserError(
                f"{output} holds a class that was graded with {was or 'fewer options'}, now it is {now or 'without'}; "
                "expected the same options, or a new --output"
            )
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(settings, indent=1) + "\n")


def run(args: argparse.Namespace, options: GradingOptions) -> int:
    grading = load_grading()
    grading.bands_of(options.levels, options.config, options.overrides)  # says in time what is wrong with them
    check_ids = {check for check in grading.points if level_of(check) in options.levels}
    found, strays = find(args.submissions, args.roster, args.output)
    handed_in = share(found)
    if strays:
        print(f"not hand-ins, and left out: {', '.join(strays)}", file=sys.stderr)
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
            refuse_another_grading(args.output, [args.output / STUDENTS / work.folder for work in handed_in])
    if args.adjustments:  # what is wrong in it is said before any work is done, and what is right, too
        print(in_words(read_adjustments(args.adjustments, handed_in)), file=sys.stderr)
    if args.dry_run:
        again = {work.student for work in args.again}
        return preview.show(handed_in, args.output, options, check_ids, resources, args.rescore, again)
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
    arguments = options.words()
    keep_settings(args.output, arguments, args.rescore)
    keep_grading(args.output)
    adjustments = adjusted(args.output, args.adjustments, handed_in)
    for reference, note in notes(options.levels, options.config).items():
        print(f"{reference}: {note}", file=sys.stderr)
    sitting = Sitting(args.output, resources)
    alone = graded_alone(handed_in)
    folders = {work.student: args.output / STUDENTS / work.folder for work in alone}
    taken = take_all(alone, folders, list(options.trained_configs()))
    problems = {student: of.problem for student, of in taken.items() if of.problem}
    waiting = {student: folder for student, folder in folders.items() if student not in problems}
    complete, anew = frozenset(check_ids), Stored()
    for work in args.again:
        history.set_aside(folders[work.student])
    if args.rescore:
        stays, anew = rescore(args.output, waiting, options, check_ids, sitting.grade_some)
        problems |= stays
        waiting = {student: folder for student, folder in waiting.items() if student not in problems}
    for folder in waiting.values():
        if not is_complete(folder / RESULTS, files_of(folder), complete):
            history.set_aside(folder)  # of other files than are handed in now
    if options.train:
        wanted = {
            student: [of for of in options.trained_configs() if not place(folder / "submission", of).is_file()]
            for student, folder in waiting.items() if not is_complete(folder / RESULTS, files_of(folder), complete)
        }  # fmt: skip
        if to_train := {student: waiting[student] for student, configs in wanted.items() if configs}:
            print(sitting.estimate(to_train, wanted, options), file=sys.stderr)
    outcomes = sitting.grade(waiting, arguments, check_ids)
    problems |= {student: outcome.problem for student, outcome in outcomes.items() if outcome.problem}
    graded: dict[str, dict[str, Any]] = {
        student: write(folder, json.loads((folder / RESULTS).read_text()), adjustments.get(student, []))
        for student, folder in folders.items() if student not in problems
    }  # fmt: skip
    for student in anew.keys() & graded.keys():
        print(changes.line(student, anew[student], graded[student]))
    found = {}
    if args.audit:
        again = {student: folders[student] for student in audit.chosen(list(graded), args.audit)}
        found = sitting.audit(again, Path(options.secret_seed) if options.secret_seed else None)
    retrained = trained_again(args, options, sitting, graded, folders) if args.retrain else {}
    differ = sum(bool(lines) for lines in found.values())
    taken, graded, problems = for_all(handed_in, taken), for_all(handed_in, graded), for_all(handed_in, problems)
    for file in write_class(
        args.output, handed_in, taken, graded, problems, found, adjustments, args.roster, retrained
    ):  # fmt: skip
        print(file)
    missing = [work.student for work in handed_in if work.problem == NOTHING]
    failed = len(problems) - len(missing)
    if found:
        print(f"{len(found)} graded again: " + (f"{differ} differ" if differ else "every verdict stands"))
    if retrained:
        counts = Counter(of.verdict for of in retrained.values())
        print(f"{len(retrained)} trained again: {', '.join(f'{n} {verdict}' for verdict, n in counts.items())}")
    print(f"{len(graded)} graded, {len(missing)} handed nothing in, {failed} could not be graded")
    if says := warning(graded):
        print(f"NOT A FULL GRADE: {says}")
    return 1 if failed or differ else 0


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
