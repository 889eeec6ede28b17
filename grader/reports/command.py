"""Show results as a page in the browser, or write them in another format.

python -m grader report [RESULTS.json] (--open | --format NAME [--output FILE])
"""

import argparse
import difflib
import os
import sys
import traceback
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import Parser, UserError, run_command
from assignment.ddpm.files import replacing
from grader.reports import html, table, terminal
from grader.reports.latest import WRITTEN, latest
from grader.reports.reading import from_json, load

try:
    from grader.reports import for_platforms
except ImportError:  # in what students receive
    for_platforms = None  # type: ignore[assignment]  # a module or nothing

FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "text": lambda results: terminal.render(from_json(results)).lstrip("\n") + "\n",
    "html": html.render,
    "csv": table.render,
    **(for_platforms.FORMATS if for_platforms else {}),
}
EXIT_FAULT = 3


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments. Raises UserError for anything invalid."""
    parser = Parser(
        prog="python -m grader report", description=__doc__.splitlines()[0], allow_abbrev=False,
        usage=__doc__.splitlines()[2],
        epilog="exit 0: written; 2: the call or a file is wrong; 3: the report itself failed",
    )  # fmt: skip
    parser.add_argument(
        "results", nargs="?", type=Path, metavar="RESULTS.json",
        help=f"of a grading; default: the latest of every level, from {' and '.join(str(p.parent) for p in WRITTEN)}",
    )  # fmt: skip
    parser.add_argument("--open", action="store_true", help="write report.html beside it, and show it in the browser")
    parser.add_argument("--format", metavar="NAME", help=", ".join(FORMATS))
    parser.add_argument("--output", type=Path, metavar="FILE", help="the file to write; default: standard output")
    if for_platforms:
        for_platforms.add_options(parser)
    args = parser.parse_args(argv)
    if args.open == bool(args.format):
        raise UserError(f"expected either --open, or --format with one of {', '.join(FORMATS)}")
    if args.format and args.format not in FORMATS:
        near = difflib.get_close_matches(args.format, FORMATS, n=1, cutoff=0.0)[0]
        raise UserError(f"--format {args.format}: no such format; did you mean {near}?")
    args.render = FORMATS.get(args.format)
    if for_platforms:
        args.render = for_platforms.with_options(args.format, args.render, args.visibility, args.prefix)
    return args


def run(args: argparse.Namespace) -> None:
    results, home, folders = (load(args.results), args.results.parent, {}) if args.results else latest()
    render, output = (html.render, home / "report.html") if args.open else (args.render, args.output)
    if render is html.render:
        render = partial(html.render, folder=home, elsewhere=folders)
    written = render(results).encode("utf-8", "replace")
    if output is None:
        sys.stdout.buffer.write(written)
        sys.stdout.flush()
        return
    with replacing(output) as temporary:
        temporary.write_bytes(written)
    if args.open:
        shown = has_a_screen() and webbrowser.open(output.resolve().as_uri())
        print(f"report: {output}" if shown else f"report: {output}; no browser was found here: open this file in yours")


def has_a_screen() -> bool:
    """Whether a browser could open a window; else Python would start one that draws in the terminal."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 the call or a file is wrong, 3 the report itself failed."""
    try:
        return run_command(lambda: run(parse(argv)))
    except Exception:
        traceback.print_exc()
        print("the report failed, nothing was written", file=sys.stderr)
        return EXIT_FAULT
