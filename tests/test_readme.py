"""The README, the Makefile and --help tell the truth."""

import re
import subprocess

import pytest

import main
from grader.grading_config import load_grading
from grader.results import level_of
from tests.conftest import ROOT
from tests.support.pages import tree_of

README = (ROOT / "README.md").read_text()
HOUSES = ("assignment/", "grader/", "tests/")


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def rooms() -> set[str]:
    """Folders of Python files in assignment/, grader/ and tests/; a room within a room goes without saying."""
    files = [path.split("/") for path in tracked() if path.startswith(HOUSES) and path.endswith(".py")]
    return {"/".join(parts[:2]) + "/" for parts in files if len(parts) > 2}


def test_every_room_is_named_and_every_name_is_there():
    named = tree_of(README)
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    same = {f"tests/{path.split('/')[-2]}/" for path in named if path.endswith("/") and not path.startswith("tests/")}
    assert rooms() - named - same == set()  # tests/ has "a room for each room above"
    assert {path for path in named if path.startswith(HOUSES) and path.count("/") == 2} - rooms() == set()
    top = {path.split("/")[0] + "/" if "/" in path else path for path in tracked() if not path.startswith(".")}
    assert top - named - {path for path in top if path.split(".")[0].isupper()} == set()  # LICENSE and its like


def test_it_is_short():
    assert len(README.splitlines()) <= 160


def test_bare_make_lists_every_verb_under_the_heading_of_who_needs_it():
    out = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    verbs = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^  make ([a-z0-9-]+) ", out, re.MULTILINE)) == verbs
    headings = re.findall(r"^(?:Students|Instructors|Developers of this project)$", out, re.MULTILINE)
    students, instructors, developers = re.split("|".join(headings), out)[1:]
    assert "make demo " in students and "make handout " in instructors and "make lint " in developers


def test_levels_have_the_points_that_it_says():
    points = load_grading().points
    said = re.search(r"## The four levels\n(.*?)\n## ", README, re.DOTALL)[1]
    for level in (1, 2, 3, 4):
        total = sum(value for name, value in points.items() if level_of(name) == level)
        assert re.search(rf"^{level}\. .*\b{total:g} points\.$", said, re.MULTILINE)


def test_help_and_page_show_the_same_usage(capsys):
    with pytest.raises(SystemExit) as stop:
        main.parse(["--help"])
    assert stop.value.code == 0
    usage = "main.py --config configs/X.yaml [--solution] [--custom-sampler] [--sampler ddim] [key.path=value …]"
    assert f"usage: {usage}" in capsys.readouterr().out
    assert f"uv run python {usage}" in (ROOT / "docs" / "students.md").read_text()
    assert usage in main.__doc__.replace("fashion_mnist", "X")


def test_the_error_that_it_shows_is_the_one_that_a_student_meets(tree):
    (tree.path / "assignment" / "model.py").write_text((ROOT / "assignment" / "model.py").read_text())
    _, _, err = tree.run()
    assert err in README
