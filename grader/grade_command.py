"""Grade a submission.

python -m grader [grade] SUBMISSION [--level N]… [--config FILE] [--train] [--output DIR] [key=value …]
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from assignment.ddpm.errors import Parser, UserError, run_command
from assignment.ddpm.files import replacing
from grader.check_ids import OPTIONAL, config_file
from grader.errors import GraderFault
from grader.grading_config import load_grading
from grader.grading_options import OPTIONS, GradingOptions, add_options
from grader.reports import html
from grader.reports.reading import load
from grader.runs import settings_for
from grader.submission.contents import ARCHIVE
from grader.submission.handed_in import holds_the_files, refuse_no_submission, take
from grader.submission.sandbox import find_sandbox
from grader.submission.sources import begun_levels, read_sources


def parse(argv: list[str]) -> tuple[argparse.Namespace, GradingOptions]:
    """The arguments and the options. Raises UserError for anything invalid."""
    parser = Parser(
        prog="python -m grader grade", description=__doc__.splitlines()[0], allow_abbrev=False,
        usage=__doc__.splitlines()[2],
        epilog="exit 0: graded, whatever the score; 2: the call or a file is wrong; 3: the grader itself failed",
    )  # fmt: skip
    parser.add_argument(
        "submission", type=Path, metavar="SUBMISSION", help="a folder with model.py and sampler.py, or a hand-in"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("outputs"), metavar="DIR",
        help="where results.json, report.html and pictures are written; default: outputs",
    )  # fmt: skip
    add_options(parser, *OPTIONS)
    args = parser.parse_intermixed_args(argv)
    options = GradingOptions.of(args)
    if not args.submission.is_dir() and not (args.submission.is_file() and ARCHIVE.search(args.submission.name)):
        refuse_no_submission(args.submission)
    return args, options


def submitted(place: Path, output: Path, configs: Sequence[str] = ()) -> Path:
    """The folder to grade: the one given, if it has the files, otherwise a copy of what is found in it.

    Args:
        configs: of which trained weights are wanted

    Raises:
        UserError: they can't be found
    """
    if place.is_dir() and holds_the_files(place):
        return place
    taken = take([place], output / "submission", configs)
    if taken.problem:
        raise UserError(f"{place}: {taken.problem}")
    print(f"{place}: {', '.join(taken.listed())}" + (f"; {taken.remark}" if taken.remark else ""))
    return output / "submission"


def run(submission: Path, output: Path, options: GradingOptions) -> Path:
    """Grade, and write results.json and report.html into `output`; returns the path of results.json."""
    from grader.grade import grade  # imports torch: only once the arguments are known to be valid
    from grader.submission.seed import DRAW, choose_seed

    sandbox = find_sandbox(options.sandbox)
    load_grading().bands_of(options.levels, options.config, options.overrides)
    files = {level: config_file(level, options.config) for level in options.levels}
    configs = {file: settings_for(file, options.overrides) for file in sorted(set(files.values()))}
    given = options.given_weights()  # a wrong --weights is the caller's error, too
    perhaps = {*options.levels, *(OPTIONAL if options.and_begun else ())}  # what is begun, only its files say
    submission = submitted(submission, output, list(replace(options, levels=tuple(sorted(perhaps))).trained_configs()))
    if options.and_begun:
        levels = {*options.levels, *begun_levels(read_sources(submission))}
        by_name = tuple(f"{name}={file}" for name, file in given.items())  # one more level may have other weights
        options = replace(options, levels=tuple(sorted(levels)), weights=by_name)
    if options.secret_seed or options.seed is not None:
        choose_seed(submission, options.seed, options.secret_seed)
    else:
        options = replace(options, secret_seed=DRAW)
    output.mkdir(parents=True, exist_ok=True)
    if 1 in files:  # missing images are the caller's error: report them before any work is done
        from assignment.ddpm.data import load_images, load_test

        config = configs[files[1]]
        load_images(config.data.name, config.data.root, limit=None, shape=config.model.image_shape)
        if files.get(2) == files[1]:
            load_test(config.data.name, config.data.root, shape=config.model.image_shape)

    if options.train:
        from grader.grade_with_training import grade_with_training

        results = grade_with_training(submission, output, options, sandbox)
    else:
        results = grade(
            submission, levels=options.levels, config=options.config, overrides=options.overrides, seed=options.seed,
            only=options.checks.__contains__ if options.checks else None,
            options=[*options.for_pytest(), f"--figures={output}"],
        )  # fmt: skip
    results.save(output / "results.json")
    with replacing(output / "report.html") as temporary:
        temporary.write_bytes(html.render(load(output / "results.json"), output).encode("utf-8", "replace"))
    return output / "results.json"


def main(argv: list[str]) -> int:
    """Exit codes: 0 graded, 2 the call or a file is wrong, 3 the grader or the machine failed, 130 interrupted."""

    def command() -> None:
        args, options = parse(argv)
        written = run(args.submission, args.output, options)
        print(f"\nresults: {written}, as a page: {written.with_name('report.html')}")

    return run_command(command, interrupted="no results were written", exhausted=GraderFault)
