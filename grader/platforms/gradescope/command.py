"""A zip file to upload as Gradescope's autograder.

python -m grader gradescope [--output FILE] [--level N]… [--secret-seed FILE] [--visibility WHEN]      (make gradescope)
"""

import argparse
import json
from pathlib import Path

from assignment.ddpm.errors import Parser, UserError, run_command
from grader import ROOT
from grader.bundles import packing
from grader.bundles.untrained_grader import grader_without_weights
from grader.platforms.gradescope.run import SECRET, SETTINGS
from grader.platforms.time_limited import LEVELS, usual_levels
from grader.reports.gradescope import VISIBILITIES
from grader.submission.seed import choose_seed

MEMORY_MIB = 768  # suffice, 640 do not: tests/bench/results/gradescope.json; the default was 384 for long
SCRIPTS = ("setup.sh", "run_autograder")


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments. Raises UserError for anything invalid."""
    parser = Parser(prog="python -m grader gradescope", description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--output", type=Path, default=Path("outputs/gradescope.zip"), metavar="FILE", help="default: %(default)s")
    add("--level", type=int, choices=LEVELS, action="append", help="may be repeated; default: those that give points")
    add("--secret-seed", type=Path, metavar="FILE", help="a secret that determines the judge's inputs; default: drawn")
    add("--visibility", choices=VISIBILITIES, default="visible", help="when students see the tests")
    args = parser.parse_args(argv)
    if args.output.suffix != ".zip":
        raise UserError(f"--output {args.output}: expected a name that ends in .zip")
    return args


def contents(args: argparse.Namespace) -> dict[str, bytes]:
    found = grader_without_weights()
    found |= {name: (ROOT / "grader" / "platforms" / "gradescope" / name).read_bytes() for name in SCRIPTS}
    settings = {"levels": sorted(set(args.level or usual_levels())), "visibility": args.visibility}
    found[SETTINGS] = (json.dumps(settings) + "\n").encode()
    if args.secret_seed:
        choose_seed(ROOT / "assignment", None, str(args.secret_seed))  # raises UserError if it is not a secret
        found[SECRET] = args.secret_seed.read_bytes()
    return found


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 the call or a file is wrong."""
    return run_command(lambda: run(parse(argv)))


def run(args: argparse.Namespace) -> None:
    packing.write(args.output, contents(args))
    print(f"{args.output}: {args.output.stat().st_size / 1e6:.1f} MB, to be uploaded under Configure Autograder")
    print(f"choose at least {MEMORY_MIB} MiB of memory under Settings → Autograder: with less, gradings are killed")
