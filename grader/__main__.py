"""Grade a submission.

python -m grader SUBMISSION [--level N]… [--config FILE] [--train] [--output DIR] [key=value …]
python -m grader class SUBMISSIONS --output DIR …        many of them
python -m grader report results.json --format NAME       for a platform, or as a page
python -m grader replay results.json SUBMISSION          do its verdicts stand?
python -m grader handout outputs/handout.zip             what students receive
python -m grader gradescope, python -m grader classroom50   an autograder to upload
"""

import argparse
import importlib
import sys
from pathlib import Path

from assignment.ddpm.config import load_config
from assignment.ddpm.errors import Parser, UserError
from assignment.ddpm.files import replacing
from grader.errors import GraderFault
from grader.grading import load_grading
from grader.reports import html
from grader.reports.reading import load
from grader.rubric import config_file
from grader.sandbox import KINDS, find_sandbox

LEVELS = (1, 2, 3, 4)
EXIT_FAULT = 3
COMMANDS = {
    "class": "grader.classroom.command", "classroom50": "grader.platforms.classroom50.command",
    "gradescope": "grader.platforms.gradescope.command", "handout": "grader.handout.command",
    "replay": "grader.replay", "report": "grader.report",
}  # fmt: skip


def parse(argv: list[str]) -> argparse.Namespace:
    """Raises UserError for anything that does not fit."""
    parser = Parser(
        prog="python -m grader", description=__doc__.splitlines()[0], allow_abbrev=False,
        usage="python -m grader SUBMISSION [--level N]… [--config FILE] [--train] [--output DIR] [key=value …]",
        epilog="also: class, report, replay, handout, gradescope, classroom50, each with its own --help; "
        "exit 0: graded, whatever the score; 2: the call or a file is wrong; 3: the grader itself failed",
    )  # fmt: skip
    parser.add_argument("submission", type=Path, metavar="SUBMISSION", help="a folder with model.py and sampler.py")
    parser.add_argument(
        "--level", type=int, action="append", metavar="N", help="1 to 4; may be given several times; default: all"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="for all levels; default: Fashion-MNIST, and CIFAR-10 for level 3"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs"),
        metavar="DIR",
        help="where results.json and pictures are written",
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="the trained weights; default: those of the run that main.py left"
    )
    parser.add_argument(
        "--train", action="store_true", help="train first, where the contract is kept; goes on where it was stopped"
    )
    parser.add_argument(
        "--inception",
        metavar="FILE",
        help="also tell the customary FID, by Inception-v3 from torch-fidelity's file of weights, or `download`",
    )
    parser.add_argument("--trusted", action="store_true", help="allow ready-made networks: for the reference itself")
    parser.add_argument("--seed", type=int, metavar="N", help="of the judge's inputs; else a secret one, recorded")
    parser.add_argument(
        "--secret-seed",
        metavar="FILE",
        help="a seed that follows from the secret in this file and from the submission: the same when graded again",
    )
    parser.add_argument(
        "--sandbox",
        choices=KINDS,
        default="auto",
        help="bubblewrap around the submission: where there is one (auto), or not at all without one (required)",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="overrides a key of the configuration")
    args = parser.parse_intermixed_args(argv)
    args.level = sorted(set(args.level or LEVELS))
    for level in args.level:
        if level not in LEVELS:
            raise UserError(f"--level {level}: expected {', '.join(map(str, LEVELS[:-1]))} or {LEVELS[-1]}")
    if not args.submission.is_dir():
        what = "a file; expected the folder it lies in" if args.submission.exists() else "no such folder"
        raise UserError(f"{args.submission}: {what}")
    if args.weights and args.train:
        raise UserError("--weights and --train: expected one of them, as --train makes weights of its own")
    return args


def run(args: argparse.Namespace) -> Path:
    """Grade, and write results.json; returns its path."""
    from grader.grade import grade  # imports torch: not before the call is known to be right
    from grader.seeds import DRAW, choose_seed

    sandbox = find_sandbox(args.sandbox)
    load_grading()
    if args.secret_seed:
        choose_seed(args.submission, args.seed, args.secret_seed)
    files = {level: config_file(level, args.config) for level in args.level}
    for file in sorted(set(files.values())):
        load_config(file, args.overrides)
    args.output.mkdir(parents=True, exist_ok=True)
    if 1 in args.level:  # images that are not there are the caller's to mend, before anything else is done
        from assignment.ddpm.data import load_images

        config = load_config(files[1], args.overrides)
        m = config.model
        load_images(config.data.name, config.data.root, limit=None, shape=(m.image_channels, *[m.image_size] * 2))

    overrides, options = list(args.overrides), [f"--figures={args.output}", f"--sandbox={args.sandbox}"]
    if args.seed is None:
        options.append(f"--secret-seed={args.secret_seed or DRAW}")
    if args.weights:
        options.append(f"--weights={args.weights}")
    if args.inception:
        options.append(f"--inception={args.inception}")
    if args.trusted:
        options.append("--trusted")
    if args.train:
        from grader.train import train

        configs = {files[level] for level in args.level if level != 4}
        runs = train(args.submission, configs, args.overrides, args.output, sandbox)
        overrides.append(f"output_dir={runs}")
    results = grade(
        args.submission, levels=args.level, config=args.config, overrides=overrides, seed=args.seed, options=options
    )
    results.save(args.output / "results.json")
    with replacing(args.output / "report.html") as temporary:
        temporary.write_bytes(html.render(load(args.output / "results.json"), args.output).encode("utf-8", "replace"))
    return args.output / "results.json"


def main(argv: list[str]) -> int:
    """Exit codes: 0 graded, 2 the call or a file is wrong, 3 the grader or the machine failed, 130 interrupted."""
    if argv and argv[0] in COMMANDS:  # a folder of such a name is ./class
        try:
            command = importlib.import_module(COMMANDS[argv[0]])
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("grader."):
                raise  # a package that is not installed
            print(f"error: {argv[0]}: only the course's own checkout has it ({error})", file=sys.stderr)
            return UserError.exit_code
        return command.main(argv[1:])
    try:
        written = run(parse(argv))
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except GraderFault as error:
        print(f"the grader failed, nothing is said about the submission: {error}", file=sys.stderr)
        return EXIT_FAULT
    except KeyboardInterrupt:
        print("\ninterrupted; no results were written", file=sys.stderr)
        return 130
    print(f"\nresults: {written}, as a page: {written.with_name('report.html')}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
