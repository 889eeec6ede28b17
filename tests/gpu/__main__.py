"""Everything that needs a GPU, in one call on a machine that has one and perhaps no network.

    python -m tests.gpu --pack FOLDER                     what such a machine lacks, in three folders of at most 60 MB
    python -m tests.gpu --packed FOLDER/fashion_mnist --minutes 7 --out OUT      there: the stages, by priority
    python -m tests.gpu --packed FOLDER/cifar10-1 --unpack                       there: only unpack the data
    python -m tests.gpu --packed FOLDER/cifar10-2 --data cifar10 --minutes 5 --out OUT
    python -m tests.gpu --take OUT                        back here: every result in its place

Each stage is a process with a time limit; one that fails or is late stops no other. The same call skips what is done,
and resumes a training. Imports only the standard library: the packages may be in the packed folder.
"""

import argparse
import sys
import time
from pathlib import Path

from assignment.ddpm.errors import Parser, UserError
from tests.gpu.pack import pack, size_of, unpack
from tests.gpu.parcel import collect, take
from tests.gpu.stages import DATA, plan, run_all


def main(argv: list[str]) -> int:
    """Exit codes: 0 done, 1 a stage failed or was left out, 2 the call is wrong, 130 interrupted."""
    started = time.monotonic()
    parser = Parser(
        prog="python -m tests.gpu", description=__doc__.splitlines()[0], epilog=__doc__.partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--pack", type=Path, metavar="FOLDER", help="make the folders to transfer")
    parser.add_argument("--take", type=Path, metavar="FOLDER", help="the folder that came back")
    parser.add_argument("--minutes", type=float, default=9.0, help="time limit for everything")
    parser.add_argument("--packed", type=Path, metavar="FOLDER", help="a transferred folder")
    parser.add_argument("--unpack", action="store_true", help="and do nothing else")
    parser.add_argument("--out", type=Path, default=Path("outputs/gpu"), metavar="FOLDER", help="for the results")
    parser.add_argument("--data", choices=DATA, default="fashion_mnist", help="whose reference is trained")
    parser.add_argument("--only", nargs="+", metavar="STAGE", help="only these stages")
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, with tiny budgets")
    try:
        args = parser.parse_args(argv)
        if args.pack:
            print(*(f"{made}: {size_of(made):,} bytes" for made in pack(args.pack)), sep="\n")
            return 0
        if args.take:
            take(args.take)
            return 0
        if args.packed:
            unpack(args.packed)
        if args.unpack:
            return 0
        stages = plan(args.data, rehearsal=args.rehearse, only=args.only)
        try:
            ends = run_all(stages, deadline=started + 60 * args.minutes)
        finally:
            print(*(f"{file} {file.stat().st_size:,} bytes" for file in collect(args.out)), sep="\n")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\ninterrupted; the same call goes on", file=sys.stderr)
        return 130
    return 0 if all(end.startswith("done") for end in ends.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
