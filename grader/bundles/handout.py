"""The students' copy: starter, given code, grader, configurations; the reference without its sampler and weights.

python -m grader handout TARGET          a folder, or a zip file if the name ends in .zip      (make handout)
"""

from pathlib import Path

from assignment.ddpm.errors import Parser, UserError, run_command
from grader.bundles.packing import files, for_students, write
from grader.submission.sources import FILES, STUB

NAMES = (
    "README.md",
    "docs/students.md",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
    "main.py",
    "assignment",
    "configs",
    "grader",
    "reference",
)
LEFT_OUT = (
    "grader/bundles/",
    "grader/classroom/",
    "grader/exports/",
    "grader/platforms/",
    "grader/recording/",
    "grader/similarity/",
    "grader/rescoring/",
    "reference/weights/",
)
# from these the parts for instructors are removed
CUT = ("README.md", "docs/students.md", "Makefile", "pyproject.toml")
IGNORED = b".venv/\n.tools/\nuv.lock\n__pycache__/\n.pytest_cache/\n/outputs\n/data\n"
STUDENTS_SAMPLER = Path(__file__).with_name("students_reference_sampler.py")  # in place of reference/sampler.py


def contents() -> dict[str, bytes]:
    """Path → content. Raises UserError if the starter has been solved, so that nobody hands out a solution."""
    found = {name: content for name, content in files(*NAMES).items() if not name.startswith(LEFT_OUT)}
    for name in (f"assignment/{file}" for file in FILES):
        if found.get(name, b"").count(STUB) != 2:
            raise UserError(f"{name} is not the starter any more; expected its two stubs: git checkout {name}")
    # the course's own answer to level 4 stays with the course
    found["reference/sampler.py"] = STUDENTS_SAMPLER.read_bytes()
    return {n: for_students(c) if n in CUT else c for n, c in found.items()} | {".gitignore": IGNORED}


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 the call or a file is wrong."""
    return run_command(lambda: run(argv))


def run(argv: list[str]) -> None:
    parser = Parser(prog="python -m grader handout", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("target", type=Path, metavar="TARGET", help="a new folder, or a file that ends in .zip")
    args, handed_out = parser.parse_args(argv), contents()
    write(args.target, handed_out)
    size = sum(map(len, handed_out.values()))
    print(f"{args.target}: {len(handed_out)} files, {size / 1e6:.1f} MB")
