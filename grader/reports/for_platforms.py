"""The formats that platforms read; students' copies of the project lack this file, and the modules that it names."""

from collections.abc import Callable
from functools import partial
from typing import Any

from assignment.ddpm.errors import Parser, UserError
from grader.reports import (
    classroom50,
    github_annotations,
    github_classroom,
    github_summary,
    gradescope,
    junit,
    prairielearn,
)

Render = Callable[[dict[str, Any]], str]
FORMATS: dict[str, Render] = {
    "gradescope": gradescope.render,
    "classroom50": classroom50.render,
    "github-summary": github_summary.render,
    "github-annotations": github_annotations.render,
    "github-classroom": github_classroom.render,
    "junit": junit.render,
    "prairielearn": prairielearn.render,
}


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--visibility",
        choices=gradescope.VISIBILITIES,
        help="when Gradescope shows the tests to students; default: visible",
    )
    parser.add_argument(
        "--prefix", metavar="FOLDER/", help="path of the files in the student's repository, for github-annotations"
    )


def with_options(name: str, render: Render, visibility: str | None, prefix: str | None) -> Render:
    """A format as these options want it. Raises UserError where one belongs to another format."""
    if visibility:
        if name != "gradescope":
            raise UserError(f"--visibility {visibility}: only --format gradescope has it")
        return partial(gradescope.render, visibility=visibility)
    if prefix is not None:
        if name != "github-annotations":
            raise UserError(f"--prefix {prefix}: only --format github-annotations has it")
        return partial(github_annotations.render, path_of=f"{prefix}{{}}".format) if prefix else render
    return render
