"""A bundle for Classroom 50: the folder CLASSROOM/autograders/ASSIGNMENT of its repository.

python -m grader classroom50 FOLDER      (make classroom50 TARGET=FOLDER)
"""

from pathlib import Path

from assignment.ddpm.errors import Parser, run_command
from grader import ROOT
from grader.bundles import packing
from grader.bundles.untrained_grader import grader_without_weights

FILES = ("autograder.py", "runtime.json")


def contents() -> dict[str, bytes]:
    here = ROOT / "grader" / "platforms" / "classroom50"
    return grader_without_weights() | {name: (here / name).read_bytes() for name in FILES}


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 the call or a file is wrong."""
    return run_command(lambda: run(argv))


def run(argv: list[str]) -> None:
    parser = Parser(prog="python -m grader classroom50", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder: CLASSROOM/autograders/ASSIGNMENT")
    args, bundle = parser.parse_args(argv), contents()
    packing.write(args.folder, bundle)
    print(f"{args.folder}: {len(bundle)} files, {sum(map(len, bundle.values())) / 1e6:.1f} MB")
