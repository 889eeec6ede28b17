"""Write results in the format of a platform.

python -m grader report RESULTS.json --format NAME [--output FILE] [--visibility WHEN] [--prefix FOLDER/]
"""

import argparse
import difflib
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import Parser, UserError, run_command
from assignment.ddpm.files import replacing
from grader.reports import (
    classroom50,
    github_annotations,
    github_classroom,
    github_summary,
    gradescope,
    html,
    junit,
    prairielearn,
    table,
    terminal,
)
from grader.reports.reading import from_json, load

FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "text": lambda results: terminal.render(from_json(results)).lstrip("\n") + "\n",
    "gradescope": gradescope.render,
    "classroom50": classroom50.render,
    "github-summary": github_summary.render,
    "github-annotations": github_annotations.render,
    "github-classroom": github_classroom.render,
    "junit": junit.render,
    "csv": table.render,
    "prairielearn": prairielearn.render,
    "html": html.render,
}
EXIT_FAULT = 3


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments. Raises UserError for anything invalid."""
    parser = Parser(
        prog="python -m grader report", description=__doc__.splitlines()[0], allow_abbrev=False,
        usage=__doc__.splitlines()[2],
        epilog="exit 0: written; 2: the call or a file is wrong; 3: the report itself failed",
    )  # fmt: skip
    parser.add_argument("results", type=Path, metavar="RESULTS.json", help="the results.json of a grading")
    parser.add_argument("--format", required=True, metavar="NAME", help=", ".join(FORMATS))
    parser.add_argument("--output", type=Path, metavar="FILE", help="the file to write; default: standard output")
    parser.add_argument(
        "--visibility",
        choices=gradescope.VISIBILITIES,
        help="when Gradescope shows the tests to students; default: visible",
    )
    parser.add_argument(
        "--prefix", metavar="FOLDER/", help="path of the files in the student's repository, for github-annotations"
    )
    args = parser.parse_args(argv)
    if args.format not in FORMATS:
        near = difflib.get_close_matches(args.format, FORMATS, n=1, cutoff=0.0)[0]
        raise UserError(f"--format {args.format}: no such format; did you mean {near}?")
    if args.visibility and args.format != "gradescope":
        raise UserError(f"--visibility {args.visibility}: only --format gradescope has it")
    if args.prefix is not None and args.format != "github-annotations":
        raise UserError(f"--prefix {args.prefix}: only --format github-annotations has it")
    return args


def run(args: argparse.Namespace) -> None:
    results, render = load(args.results), FORMATS[args.format]
    if args.format == "html":
        render = partial(html.render, folder=args.results.parent)
    if args.visibility:
        render = partial(gradescope.render, visibility=args.visibility)
    if args.prefix:
        render = partial(github_annotations.render, path_of=f"{args.prefix}{{}}".format)
    written = render(results).encode("utf-8", "replace")
    if args.output:
        with replacing(args.output) as temporary:
            temporary.write_bytes(written)
    else:
        sys.stdout.buffer.write(written)
        sys.stdout.flush()


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 the call or a file is wrong, 3 the report itself failed."""
    try:
        return run_command(lambda: run(parse(argv)))
    except Exception:
        traceback.print_exc()
        print("the report failed, nothing was written", file=sys.stderr)
        return EXIT_FAULT
