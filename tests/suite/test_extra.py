"""A course's own check: the example of docs/instructors.md, in a copy of the project."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.proof.bank import BANK

EXAMPLE = re.compile(r"<!-- example: (\S+) -->\n```python\n(.+?)```", re.DOTALL)
NETWORK = BANK / "right" / "networks" / "convnext.py"


@pytest.fixture
def copy(tmp_path):
    """The project, with the example in its place."""
    for name in ("assignment", "configs", "grader", "reference"):
        left_out = shutil.ignore_patterns("__pycache__", "weights", "results")
        shutil.copytree(ROOT / name, tmp_path / "project" / name, ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "project")
    ((name, source),) = EXAMPLE.findall((ROOT / "docs" / "instructors.md").read_text())
    (tmp_path / "project" / name).write_text(source)
    return tmp_path / "project"


def grade(copy, *more):
    (copy / "handed in").mkdir()
    shutil.copy(NETWORK, copy / "handed in" / "model.py")
    command = [sys.executable, "-m", "pytest", "grader", "-k", "small", "--submission", copy / "handed in"]
    about = ["--config", "configs/digits.yaml", "--set", "runtime.device=cpu", "-p", "no:cacheprovider", *more]
    return subprocess.run([*command, *about], cwd=copy, capture_output=True, text=True)


def with_points(copy, line: str) -> None:
    file = copy / "configs" / "grading.yaml"
    file.write_text(file.read_text().replace("points:\n", f"points:\n  {line}\n", 1))


def test_the_example_is_a_check_like_any_other(copy):
    with_points(copy, "level1.extra.small: 0.5")
    ran = grade(copy)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"✓ extra\.small +The network has at most a million parameters\. +0\.5/0\.5", ran.stdout)


def test_its_points_are_asked_for(copy):
    check = "import grader.grading_config as g; g.load_grading()"
    ran = subprocess.run([sys.executable, "-c", check], cwd=copy, capture_output=True, text=True)
    assert "points.level1.extra.small: missing; expected a number, which may be 0" in ran.stderr


def test_its_id_belongs_to_its_level(copy):
    (copy / "grader" / "extra" / "test_level1_small.py").rename(copy / "grader" / "extra" / "test_level2_small.py")
    command = [sys.executable, "-m", "grader", "assignment", "--level", "4"]
    ran = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert ran.returncode == 2 and json.dumps(ran.stderr).count("\\n") == 1
    assert "level1.extra.small: expected an id of its own, beginning with level2." in ran.stderr


def test_one_that_is_broken_is_named_and_nobody_is_said_to_have_interrupted(copy):
    with_points(copy, "level1.extra.small: 0.5")
    with (copy / "grader" / "extra" / "test_level1_small.py").open("a") as file:
        file.write("\nraise RuntimeError('a slip of the pen')\n")
    (copy / "handed in").mkdir()
    shutil.copy(NETWORK, copy / "handed in" / "model.py")
    command = [sys.executable, "-m", "grader", "handed in", "--level", "1", "--config", "configs/digits.yaml"]
    ran = subprocess.run([*command, "--output", copy / "out"], cwd=copy, capture_output=True, text=True)
    assert ran.returncode == 3 and "interrupted" not in ran.stderr
    assert "test_level1_small.py: RuntimeError: a slip of the pen" in ran.stderr
