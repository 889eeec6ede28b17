"""Train the reference, and record the results that the grader compares with.

    uv run python -m grader.recording --config configs/X.yaml [--seeds N] [key.path=value …]     (make reference)
    uv run python -m grader.recording --all                                                      (make reference-all)
    uv run python -m grader.recording --status                                                   (make reference-status)

Trainings resume where they stopped (outputs/reference/), or from the shipped weights; with training.max_minutes a
sitting ends early, and the record says so until another sitting has finished the training.
"""

import sys
from pathlib import Path

from assignment.ddpm.config import config_files
from assignment.ddpm.errors import Parser, UserError, run_command
from grader.metrics.triples import LOOKS
from grader.recording.measure import Reference
from grader.recording.status import status, unfinished


def finish_all(overrides: list[str]) -> None:
    """Finish and record every reference with provisional results on this machine; prints first how long it takes."""
    waiting = []
    for file in map(Path, config_files()):
        reference = Reference(file, overrides)
        if missing := unfinished(reference):
            waiting.append((reference, len(reference.recorded_seeds())))
            print(f"{reference.name}: {missing}, {reference.about_the_training_ahead()}")
        else:
            print(f"{reference.name}: final")
    for reference, seeds in waiting:
        make(reference, seeds, anew=False)


def make(reference: Reference, seeds: int, *, anew: bool, only: str | None = None, looks: int = len(LOOKS)) -> None:
    if only == "samples":
        print("written:", reference.record_samples())
        return
    for seed in range(seeds) if only != "record" else ():
        reference.train(seed, anew=anew)
    if only != "train":
        print("written:", reference.record(list(range(seeds)), looks))


def main(argv: list[str]) -> int:
    """Exit codes: 0 done, 1 the run failed, 2 the call is wrong, 130 interrupted."""
    parser = Parser(prog="python -m grader.recording", description=__doc__.splitlines()[0], allow_abbrev=False)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--config", type=Path, metavar="FILE", help="a YAML file, see configs/")
    what.add_argument("--all", action="store_true", help="finish whatever is provisional")
    what.add_argument("--status", action="store_true", help="list what is recorded, and what is provisional")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="trainings, with training.seed = 0, 1, …")
    parser.add_argument("--anew", action="store_true", help="start from random weights, not from the shipped ones")
    parser.add_argument(
        "--only",
        choices=("train", "record", "samples"),
        help="only train, only measure, or only measure samples, as after a change of grading.yaml",
    )
    parser.add_argument(
        "--looks",
        type=int,
        choices=range(1, len(LOOKS) + 1),
        default=len(LOOKS),
        metavar="N",
        help=f"looks at the validation images, up to {len(LOOKS)}; fewer if a CPU would need hours",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="override a key of the configuration")

    def command() -> None:
        args = parser.parse_intermixed_args(argv)
        if args.status:
            print(status())
        elif args.all:
            finish_all(args.overrides)
        elif args.config:
            reference = Reference(args.config, args.overrides)
            make(reference, args.seeds, anew=args.anew, only=args.only, looks=args.looks)
        else:
            raise UserError(f"--config is missing: expected one of {', '.join(config_files())}, or --all")

    return run_command(command, interrupted="the same command resumes")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
