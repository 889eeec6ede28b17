"""What `python -m grader class` is told."""

import argparse
from dataclasses import replace
from pathlib import Path

from assignment.ddpm.errors import Parser, UserError
from grader.classroom import audit
from grader.classroom.resources import MEMORY_GB
from grader.grading_options import GradingOptions, add_options
from grader.submission.seed import read_secret

TRAINING = 2 / 3  # of a job's time limit, at most, for training: the rest is for judging what it has learnt


def _folder(text: str) -> Path:
    """Raises ArgumentTypeError for an empty one, which Path takes for the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a folder, got nothing: is a variable empty?")
    return Path(text)


def parse(argv: list[str]) -> tuple[argparse.Namespace, GradingOptions]:
    """The arguments and the options. Raises UserError for anything invalid."""
    parser = Parser(
        prog="python -m grader class", description="Grade a class.", allow_abbrev=False,
        epilog="exit 0: everything handed in was graded; 1: some could not be, or a verdict does not stand; "
        "2: the call or a file is wrong",
    )  # fmt: skip
    add = parser.add_argument
    add("submissions", type=_folder, metavar="SUBMISSIONS", help="a folder with one folder or zip file per student")
    add("--output", type=_folder, metavar="DIR", help="results: class.csv, class.html, students/")
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
    add("--memory-gb", type=int, metavar="N", help=f"memory per job, on Slurm; default: {MEMORY_GB}")
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
    for name in ("memory_gb", "partition"):
        if args.executor != "slurm" and getattr(args, name):
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} {getattr(args, name)}: only Slurm knows it; expected --executor slurm as well")
    if not (args.output or args.dry_run):
        raise UserError("--output is missing: expected a folder for the results")
    for place in (args.output, *args.output.parents) if args.output else ():
        if place.exists() and not place.is_dir():
            raise UserError(f"--output {args.output}: {place} is a file; expected a folder for the results")
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
