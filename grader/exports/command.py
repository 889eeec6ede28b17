"""Write a graded class's points and feedback for others: Canvas, Moodle, a table, zip files for students.

python -m grader export DIR --format canvas|moodle|points|feedback [--roster FILE] [--assignment NAME] [--anonymous]
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from assignment.ddpm.errors import Parser, UserError, run_command
from assignment.ddpm.files import replacing
from grader.classroom import adjustments, hand_ins, stored
from grader.classroom import tables as class_tables
from grader.classroom.stored import Student
from grader.classroom.tables import table
from grader.errors import GraderFault
from grader.exports import anonymous, feedback, grade_books, tables
from grader.exports.graded_class import GradedClass

OF_THE_CLASS = (
    stored.FILE, stored.ROSTER, hand_ins.SETTINGS, hand_ins.STUDENTS, adjustments.FILE, anonymous.FILE,
    *class_tables.FILES,
)  # fmt: skip
FORMATS = ("canvas", "moodle", "points", "feedback")
NAMED = 5  # students, in a remark


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments. Raises UserError for anything invalid."""
    parser = Parser(
        prog="python -m grader export", description=__doc__.splitlines()[0], allow_abbrev=False,
        epilog="exit 0: written; 2: the call or a file is wrong",
    )  # fmt: skip
    add = parser.add_argument
    add("graded", type=Path, metavar="DIR", help="the folder of a graded class, with class.csv in it")
    add("--format", required=True, choices=FORMATS, help="a grade book, points by check, or zip files for students")
    add(
        "--output",
        type=Path,
        metavar="PATH",
        help="default: DIR/FORMAT.csv, or the folder DIR/feedback; with -anonymous in it",
    )
    add("--roster", type=Path, metavar="FILE", help="the platform's grade book; default: the roster of the class")
    add("--assignment", metavar="NAME", help="Canvas's assignment, by its title or number, if there are several")
    add("--anonymous", action="store_true", help="ids in the place of names; DIR/anonymous.csv says whose they are")
    args = parser.parse_args(argv)
    if args.assignment and args.format != "canvas":
        raise UserError(f"--assignment {args.assignment}: only --format canvas has it")
    if args.anonymous and args.format in ("canvas", "moodle"):
        raise UserError(
            f"--anonymous: a grade book for {args.format} has to say who is who; expected points or feedback"
        )
    if args.roster and args.format == "points":
        raise UserError(f"--roster {args.roster}: --format points has no use for it")
    if args.output is None:
        name = f"{args.format}-anonymous" if args.anonymous else args.format
        args.output = args.graded / (name if args.format == "feedback" else f"{name}.csv")
    if args.output.exists() and args.output.is_dir() != (args.format == "feedback"):
        expected = "a folder" if args.format == "feedback" else "a file"
        raise UserError(f"--output {args.output}: expected {expected} for --format {args.format}")
    if args.roster and args.output.resolve() == args.roster.resolve():
        raise UserError(f"--output {args.output}: that is the --roster, which stays as it is; expected another file")
    if args.output.resolve() in {(args.graded / name).resolve() for name in OF_THE_CLASS}:
        raise UserError(f"--output {args.output}: a file of the class's own; expected another one")
    return args


def run(args: argparse.Namespace) -> None:
    graded = GradedClass(args.graded)
    if not graded.students:
        raise UserError(f"{args.graded}: nobody is in this class")
    graded.refuse_unfinished()
    if args.format in ("canvas", "moodle"):
        _grade_book(args, graded)
        return
    name = _names(args, graded)
    if args.format == "points":
        groups = not args.anonymous and any(student.group for student in graded.students)
        _write(args.output, table(tables.points(graded, name, groups=groups)))
        print(args.output)
    else:
        _feedback(args, graded, name)


def _names(args: argparse.Namespace, graded: GradedClass) -> Callable[[Student], str]:
    """As what a student is shown."""
    if not args.anonymous:
        return lambda student: student.name
    drawn = anonymous.ids(args.graded, graded.students)
    graded.students.sort(key=lambda student: drawn[student.name])  # the roster's order would tell who is who
    return lambda student: drawn[student.name]


def _grade_book(args: argparse.Namespace, graded: GradedClass) -> None:
    file, sheet, whose, unclear = graded.sheet(args.roster)
    if args.format == "canvas":
        book = grade_books.canvas(file, sheet, whose, args.assignment)
    else:
        comments = {student.name: comment(graded, student) for student in whose.values()}
        book = grade_books.moodle(file, sheet, whose, comments)
    _write(args.output, book.text())
    print(args.output)
    filled = {student.name for student in whose.values()}
    scored = [student.name for student in graded.students if student.points is not None]
    print(f"{len(filled & set(scored))} of {sum(map(bool, sheet.whose))} students have points")
    if twice := [name for name in scored if name in unclear]:
        print(
            f"more than one line of {file.name} may be theirs, and none is filled in: {_listed(twice)}", file=sys.stderr
        )
    if strangers := [name for name in scored if name not in filled and name not in twice]:
        print(f"not in {file.name}, and left out: {_listed(strangers)}", file=sys.stderr)
    if waiting := [student.name for student in graded.students if student.points is None and student.name in filled]:
        print(f"without points, and left as they are: {_listed(waiting)}", file=sys.stderr)
    for remark in book.remarks:
        print(remark, file=sys.stderr)


def comment(graded: GradedClass, student: Student) -> str:
    """Points by level, and adjustments, that they add up; in our own words alone, as Moodle shows it as HTML."""
    results = graded.results(student) or {"checks": [], "adjustments": student.adjustments}
    checks, made = results["checks"], results.get("adjustments")
    parts = []
    for level in sorted({check["level"] for check in checks}):
        of = [check for check in checks if check["level"] == level]
        got, most = (sum(check[key] for check in of) for key in ("points", "max_points"))
        parts.append(f"level {level}: {got:g} of {most:g} points")
    if made:
        parts.append(f"adjustments: {sum(each['points'] for each in made):+g} points")
    return "; ".join(parts)


def _feedback(args: argparse.Namespace, graded: GradedClass, name: Callable[[Student], str]) -> None:
    numbers: dict[str, str] = {}
    if not args.anonymous and (args.roster or (args.graded / "roster.csv").is_file()):
        _, sheet, whose, _ = graded.sheet(args.roster)
        numbers = feedback.participants(whose, sheet.titles, sheet.lines)
    done = feedback.write(graded, args.output, name, numbers)
    words = {"folders": "in folders"}
    layouts = ", ".join(f"{n} {words.get(layout, f'as {layout} takes them')}" for layout, n in done.layouts.items())
    print(f"{done.for_all}: {layouts or 'nobody'}")
    print(f"{args.output / feedback.FOR_EACH}: {_several(done.count, 'zip file')}")
    if done.without:
        print(f"not in the one for all, as Canvas would not take it: {_listed(done.without)}", file=sys.stderr)


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED
    return "; ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _write(target: Path, text: str) -> None:
    with replacing(target) as temporary:
        temporary.write_bytes(text.encode("utf-8", "replace"))


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 the call or a file is wrong."""
    return run_command(lambda: run(parse(argv)), exhausted=GraderFault)
