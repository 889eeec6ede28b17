"""What students receive: starter, given code, grader, configurations; the reference without its sampler and weights.

python -m grader handout TARGET [--repository OWNER/NAME] [--rules FILE.md]

An archive (TARGET ends in .zip, .tar, .tar.gz or .tgz) has one folder at its top; any other TARGET is a new folder.
"""

import re
from pathlib import Path

from assignment.ddpm.errors import Parser, UserError, run_command
from grader.bundles.packing import files, for_students, write
from grader.submission.sources import FILES, is_starter

NAMES = (
    "README.md",
    "docs/course.md",
    "docs/students.md",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
    "requirements.txt",
    "Dockerfile",
    "main.py",
    "notebook.ipynb",
    "assignment",
    "configs",
    "grader",
    "reference",
)
REPORTS_OF_PLATFORMS = (
    "classroom50", "for_platforms", "github", "github_annotations", "github_classroom", "github_summary", "gradescope",
    "junit", "prairielearn", "whole_points",
)  # fmt: skip
LEFT_OUT = (
    "grader/bundles/",
    "grader/classroom/",
    "grader/exports/",
    "grader/platforms/",
    "grader/recording/",
    "grader/similarity/",
    "grader/rescoring/",
    "grader/replay.py",
    "grader/estimate_training.py",
    "grader/reports/class.",
    *(f"grader/reports/{name}." for name in REPORTS_OF_PLATFORMS),
    "reference/weights/",
)
# from these the parts for instructors are removed
CUT = ("README.md", "docs/course.md", "docs/students.md", "Makefile", "pyproject.toml", "configs/grading.yaml")
IGNORED = b".venv/\n.tools/\n.torch/\nuv.lock\n__pycache__/\n.pytest_cache/\n/outputs\n/data\n"
TOP = "no-confusion-diffusion"  # the one folder in an archive
STUDENTS_SAMPLER = Path(__file__).with_name("students_reference_sampler.py")  # in place of reference/sampler.py


RULES = re.compile(rb"<!-- rules -->\n(.*?)<!-- /rules -->\n", re.DOTALL)  # in docs/course.md: the course's own
UNWRITTEN = b"Your course has not written its rules in here"
NOBODYS = "COURSE/REPOSITORY"  # stands for the course's repository until --repository names it
ADDRESS = b'HANDOUT = \\"\\"'  # in the notebook, as JSON has it


def contents(repository: str = "", rules: bytes = b"") -> dict[str, bytes]:
    """Path → content.

    Args:
        repository: OWNER/NAME on GitHub, where the handout can be read by everybody: for the notebook and its badge
        rules: of the course, in Markdown, in place of those in docs/course.md
    Raises:
        UserError: the starter has been solved; so nobody hands out a solution
    """
    found = {name: content for name, content in files(*NAMES).items() if not name.startswith(LEFT_OUT)}
    for name in (f"assignment/{file}" for file in FILES):
        if not is_starter(found.get(name, b"")):
            raise UserError(f"{name} is not the starter any more; expected all its stubs: git checkout {name}")
    # the course's own answers to levels 4 to 6 stay with the course
    found["reference/sampler.py"] = STUDENTS_SAMPLER.read_bytes()
    found = {n: for_students(c) if n in CUT else c for n, c in found.items()}
    found["README.md"] = with_badge(found["README.md"], repository)
    if repository:
        address = f"https://github.com/{repository}/archive/HEAD.zip".encode()
        found["notebook.ipynb"] = found["notebook.ipynb"].replace(ADDRESS, ADDRESS[:-2] + address + b'\\"')
    found["docs/course.md"] = RULES.sub(lambda now: (rules or now[1]).rstrip() + b"\n", found["docs/course.md"])
    return found | {".gitignore": IGNORED}


def with_badge(page: bytes, repository: str) -> bytes:
    """The badge that opens the notebook on Colab leads to the course's repository; without one there is no badge."""
    if repository:
        return page.replace(NOBODYS.encode(), repository.encode())
    return re.sub(rb".*%b.*\n\n?" % NOBODYS.encode(), b"", page)


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 the call or a file is wrong."""
    return run_command(lambda: run(argv))


def run(argv: list[str]) -> None:
    parser = Parser(
        prog="python -m grader handout", description=__doc__.splitlines()[0], usage=__doc__.splitlines()[2],
        allow_abbrev=False,
    )  # fmt: skip
    add = parser.add_argument
    add("target", type=Path, metavar="TARGET", help="an archive (.zip, .tar, .tar.gz, .tgz) or a new folder")
    add(
        "--repository", default="", metavar="OWNER/NAME",
        help="where you publish it on GitHub, for the notebook and its badge; default: there is no badge",
    )  # fmt: skip
    add("--rules", type=Path, metavar="FILE.md", help="your course's, for docs/course.md; default: as they stand there")
    args = parser.parse_args(argv)
    if args.repository and not re.fullmatch(r"[\w.-]+/[\w.-]+", args.repository):
        raise UserError(f"--repository {args.repository}: expected OWNER/NAME, as in the address of its page on GitHub")
    if args.rules and args.rules.suffix.casefold() not in (".md", ".txt"):
        raise UserError(f"--rules {args.rules}: students will read it; expected a text in Markdown, called FILE.md")
    handed_out = contents(args.repository, args.rules.read_bytes() if args.rules else b"")
    write(args.target, handed_out, top=TOP)
    size = sum(map(len, handed_out.values()))
    print(f"{args.target}: {len(handed_out)} files, {size / 1e6:.1f} MB")
    if UNWRITTEN in handed_out["docs/course.md"]:
        print("docs/course.md has no rules of your course yet: write them there, or name a file with --rules")
