"""A bundle for Classroom 50: the folder CLASSROOM/autograders/ASSIGNMENT of its repository.

python -m grader classroom50 FOLDER      (make classroom50 TARGET=FOLDER)
"""

import sys
from pathlib import Path

from assignment.ddpm.errors import Parser, UserError
from grader import ROOT, packing
from grader.platforms.pack import grader_without_weights

FILES = ("autograder.py", "runtime.json")


def contents() -> dict[str, bytes]:
    here = ROOT / "grader" / "platforms" / "classroom50"
    return grader_without_weights() | {name: (here / name).read_bytes() for name in FILES}


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 the call or a file is wrong."""
    parser = Parser(prog="python -m grader classroom50", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new one: CLASSROOM/autograders/ASSIGNMENT")
    try:
        args = parser.parse_args(argv)
        bundle = contents()
        packing.write(args.folder, bundle)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return UserError.exit_code
    print(f"{args.folder}: {len(bundle)} files, {sum(map(len, bundle.values())) / 1e6:.1f} MB")
    return 0
