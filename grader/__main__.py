"""The grader's command line. Called elsewhere than in the project's root, Python says: No module named grader

python -m grader SUBMISSION …       grade a folder; the same as `python -m grader grade SUBMISSION …`
python -m grader COMMAND --help     a command's options
"""

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

from assignment.ddpm import invocation
from assignment.ddpm.errors import Parser, UserError, run_command

COMMANDS = {
    "grade": ("grader.grade_command", "grade a submission"),
    "submit": ("grader.submit", "check a submission, and pack it with its trained weights"),
    "code": ("grader.trained_code", "write out the model.py that weights were trained with"),
    "class": ("grader.classroom.command", "grade a whole class"),
    "estimate": ("grader.estimate_training", "measure how long training a submission would take"),
    "export": ("grader.exports.command", "write a class's grades for Canvas, Moodle and students"),
    "report": ("grader.reports.command", "show results in the browser, or write them in another format"),
    "replay": ("grader.replay", "grade again: do the verdicts stand?"),
    "handout": ("grader.bundles.handout", "write what students receive"),
    "gradescope": ("grader.platforms.gradescope.command", "write a zip file to upload as Gradescope's autograder"),
    "classroom50": ("grader.platforms.classroom50.command", "write an autograder for Classroom 50"),
}
SIMILAR = 0.6  # difflib's ratio from which a mistyped command counts as meant


def overview() -> str:
    """What --help prints: one line per command."""
    parser = Parser(
        prog="python -m grader", usage="python -m grader [COMMAND] …",
        epilog="`python -m grader SUBMISSION` means `grade`; see `python -m grader COMMAND --help`",
    )  # fmt: skip
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, (module, says) in COMMANDS.items():
        if is_here(module):
            commands.add_parser(name, help=says)
    return parser.format_help()


def is_here(module: str) -> bool:
    """Whether this copy of the project has a command; students' copies lack the instructors'."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def find_main(name: str) -> Callable[[list[str]], int]:
    """A command's `main`. Raises UserError if this copy of the project does not have the command."""
    try:
        return importlib.import_module(COMMANDS[name][0]).main
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("grader."):
            raise  # a package that is not installed
        raise UserError(f"{name}: only the course's own checkout has this command ({error})") from error


def main(argv: list[str]) -> int:
    """Exit codes: the command's own; 2 if there is no such command."""

    def command() -> int:
        if argv[:1] in (["-h"], ["--help"]):
            print(overview(), end="")
            return 0
        if not argv:
            raise UserError(
                f"which submission? For example: {invocation.python()} -m grader assignment; see also --help"
            )
        name, *rest = argv
        if name in COMMANDS:  # to grade a folder of the same name, type ./class
            return find_main(name)(rest)
        here = [command for command, (module, _) in COMMANDS.items() if is_here(module)]
        near = difflib.get_close_matches(name, here, n=1, cutoff=SIMILAR)
        if near and not Path(name).exists():
            raise UserError(f"{name}: no such command, and no such folder; did you mean {near[0]}?")
        return find_main("grade")(argv)

    return run_command(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
