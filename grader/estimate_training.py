"""Measure how long training a submission would take, from a few steps of its own network on this machine.

python -m grader estimate SUBMISSION [--level N]… [--config FILE] [--output FILE] [key=value …]
"""

import argparse
import json
from pathlib import Path

from assignment.ddpm.errors import Parser, UserError, run_command
from assignment.ddpm.files import replacing
from grader.errors import GraderFault
from grader.grading_options import GradingOptions, add_options
from grader.reports.wording import duration
from grader.runs import settings_for
from grader.submission.sources import read_sources, sha256


def parse(argv: list[str]) -> tuple[argparse.Namespace, GradingOptions]:
    """The arguments and the options. Raises UserError for anything invalid."""
    parser = Parser(
        prog="python -m grader estimate", description=__doc__.splitlines()[0], allow_abbrev=False,
        epilog="exit 0: measured, or said why a network can't be; 2: the call or a file is wrong; 3: the grader failed",
    )  # fmt: skip
    parser.add_argument("submission", type=Path, metavar="SUBMISSION", help="a folder with model.py")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write it here, as JSON")
    add_options(parser, "--level", "--config", "--sandbox")
    args = parser.parse_intermixed_args(argv)
    if not args.submission.is_dir():
        raise UserError(f"{args.submission}: no such folder")
    return args, GradingOptions.of(args)


def run(args: argparse.Namespace, options: GradingOptions) -> None:
    from grader.student.training_time import (
        training_time,  # imports torch: only once the arguments are known to be valid
    )
    from grader.suite.shared_fork_server import shared_fork_server

    found = {
        file.stem: training_time(
            args.submission, settings_for(file, options.overrides),
            lambda fork, trusted: shared_fork_server(fork=fork, sandbox=options.sandbox, trusted=trusted),
        )
        for file in options.configs_to_train().values()
    }  # fmt: skip
    for config, of in found.items():
        says = of.get("problem") or (
            f"{duration(3600 * of['hours'])} for {of['epochs']} epochs on {of['device']}, "
            f"{of['times_the_reference']:.2g} times the reference's"
        )
        print(f"{config}: {says}")
    if args.output:
        with replacing(args.output) as temporary:
            about = {"sha256": sha256(read_sources(args.submission)), "configs": found}
            temporary.write_text(json.dumps(about, indent=1) + "\n")


def main(argv: list[str]) -> int:
    """Exit codes: 0 measured, 2 the call or a file is wrong, 3 the grader or the machine failed, 130 interrupted."""
    return run_command(lambda: run(*parse(argv)), exhausted=GraderFault)
