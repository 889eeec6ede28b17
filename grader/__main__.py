"""Grade a submission.

python -m grader SUBMISSION [--level N]… [--config FILE] [--output DIR] [key=value …]
"""

import argparse
import sys
from pathlib import Path

from assignment.ddpm.config import load_config
from assignment.ddpm.errors import UserError
from grader import ROOT
from grader.errors import GraderFault

LEVELS = (1, 4)
EXIT_FAULT = 3


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise UserError(message)


def parse(argv: list[str]) -> argparse.Namespace:
    """Raises UserError for anything that does not fit."""
    parser = _Parser(
        prog="python -m grader", description=__doc__.splitlines()[0], allow_abbrev=False,
        usage="python -m grader SUBMISSION [--level N]… [--config FILE] [--output DIR] [key=value …]",
        epilog="exit 0: graded, whatever the score; 2: the call or a file is wrong; 3: the grader itself failed",
    )  # fmt: skip
    parser.add_argument("submission", type=Path, metavar="SUBMISSION", help="a folder with model.py and sampler.py")
    parser.add_argument(
        "--level", type=int, action="append", metavar="N", help="1 or 4; may be given twice; default: both"
    )
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "fashion_mnist.yaml", metavar="FILE")
    parser.add_argument(
        "--output", type=Path, default=Path("outputs"), metavar="DIR", help="where results.json is written"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of the judge's inputs; else a secret one, recorded")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="overrides a key of the configuration")
    args = parser.parse_intermixed_args(argv)
    args.level = sorted(set(args.level or LEVELS))
    for level in args.level:
        if level not in LEVELS:
            raise UserError(f"--level {level}: there is a grader for level {' and level '.join(map(str, LEVELS))}")
    if not args.submission.is_dir():
        what = "a file; expected the folder it lies in" if args.submission.exists() else "no such folder"
        raise UserError(f"{args.submission}: {what}")
    return args


def main(argv: list[str]) -> int:
    """Exit codes: 0 graded, 2 the call or a file is wrong, 3 the grader or the machine failed, 130 interrupted."""
    try:
        args = parse(argv)
        config = load_config(args.config, args.overrides)
        args.output.mkdir(parents=True, exist_ok=True)

        from grader.grade import grade  # imports torch: not before the call is known to be right

        if 1 in args.level:
            from assignment.ddpm.data import load_images

            m = config.model  # images that are not there are the caller's to mend, before anything else is done
            load_images(config.data.name, config.data.root, limit=None, shape=(m.image_channels, *[m.image_size] * 2))
        results = grade(
            args.submission, levels=args.level, config=args.config, overrides=args.overrides, seed=args.seed
        )
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except GraderFault as error:
        print(f"the grader failed, nothing is said about the submission: {error}", file=sys.stderr)
        return EXIT_FAULT
    except KeyboardInterrupt:
        print("\ninterrupted; no results were written", file=sys.stderr)
        return 130
    results.save(args.output / "results.json")
    print(f"\nresults: {args.output / 'results.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
