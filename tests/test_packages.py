"""Packages: what is imported is declared, and each one that is needed is pinned at the version it is tested with."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from grader.bundles.packing import for_students
from tests.conftest import ROOT
from tests.support import pins

TEXT = (ROOT / "pyproject.toml").read_text()
STUDENTS_TEXT = for_students(TEXT.encode()).decode()
WITH_NOTEBOOKS = {"IPython"}  # there wherever a notebook runs
OURS = {"assignment", "grader", "main", "reference", "tests"}
HOW = "run: uv run python -m tests.support.pins"


def declared(text: str) -> list[Requirement]:
    """What a pyproject.toml asks for itself: the project's own dependencies, and its groups'."""
    found = tomllib.loads(text)
    groups = found.get("dependency-groups", {}).values()
    return [Requirement(name) for names in (found["project"]["dependencies"], *groups) for name in names]


def required(first: list[Requirement]) -> set[str]:
    """The names of all that is needed here: what is asked for, what that asks for, and so on."""
    found, waiting = set(), list(first)
    while waiting:
        requirement = waiting.pop()
        wanted = {(canonicalize_name(requirement.name), extra) for extra in ("", *requirement.extras)} - found
        found |= wanted
        if pins.WITH_TORCH.match(requirement.name):
            continue
        for name, extra in wanted:
            children = map(Requirement, metadata.requires(name) or [])
            waiting += [child for child in children if not child.marker or child.marker.evaluate({"extra": extra})]
    return {name for name, _ in found if not pins.WITH_TORCH.match(name)}


def pinned_here(text: str) -> dict[str, str]:
    """Name → version of the pins that hold on this platform and in this Python."""
    here = (pin for pin in pins.read_pins(text) if not pin.marker or pin.marker.evaluate())
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in here}


@pytest.mark.parametrize("text", [TEXT, STUDENTS_TEXT], ids=["instructors", "students"])
def test_what_is_needed_is_pinned_and_nothing_else(text):
    assert sorted(pinned_here(text)) == sorted(required(declared(text))), HOW


def test_the_pins_are_the_versions_that_are_installed():
    # a build for CPUs or another CUDA calls itself 2.15.0+cpu
    there = {name: metadata.version(name).partition("+")[0] for name in pinned_here(TEXT)}
    assert there == pinned_here(TEXT), f"uv sync; or, where these versions are meant, {HOW}"


def test_the_requirements_for_pip_are_the_same_and_name_no_host_but_pytorchs():
    text = (ROOT / "requirements.txt").read_text()
    assert text == pins.requirements(TEXT), HOW
    listed = [Requirement(line) for line in text.splitlines() if not line.startswith("#")]
    assert listed == pins.read_pins(STUDENTS_TEXT)
    assert set(re.findall(r"https?://([^/\s]+)", text)) == {"download.pytorch.org"}


def test_the_pins_are_exact():
    for pin in pins.read_pins(TEXT):
        assert [s.operator for s in pin.specifier] == ["=="] and "*" not in str(pin.specifier), pin


def test_the_tests_can_fail():
    assert "markupsafe" in required([Requirement("jinja2")])  # which needs it
    assert "colorama" not in required([Requirement("pytest")])  # Windows only
    assert not any(name.startswith("nvidia") for name in required([Requirement("torch")]))
    assert len(pinned_here(STUDENTS_TEXT)) < len(pinned_here(TEXT))


def imported(*places: str) -> set[str]:
    """The packages of others that files import by name, anywhere in them."""
    roots = map(Path, places)
    files = [file for root in roots for file in ([root] if root.suffix else root.rglob("*.py"))]
    found: set[str] = set()
    for file in files:
        if "submissions" in file.parts:  # what students hand in
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found - OURS - WITH_NOTEBOOKS - set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("places", "text"),
    [(("main.py", "assignment", "reference", "grader"), STUDENTS_TEXT), (("tests",), TEXT)],
    ids=["project", "tests"],
)
def test_what_is_imported_is_declared(places, text, monkeypatch):
    monkeypatch.chdir(ROOT)
    names, providers = {canonicalize_name(r.name) for r in declared(text)}, metadata.packages_distributions()
    found = imported(*places)
    assert "torch" in found
    assert [name for name in sorted(found) if not names & {*map(canonicalize_name, providers[name])}] == []


BEFORE = """[tool.uv]
constraint-dependencies = [
    "torch==1.0",
]

[tool.ruff]
"""


def test_pins_are_written_between_the_brackets_and_the_projects_own_apart():
    after = pins.pinned(BEFORE, ["torch==2.15.0", "numpy==2.4.6; python_full_version < '3.12'"], ["ruff==0.17.6"])
    assert [str(pin) for pin in pins.read_pins(after)] == [
        "torch==2.15.0", 'numpy==2.4.6; python_full_version < "3.12"', "ruff==0.17.6",
    ]  # fmt: skip
    assert after.startswith("[tool.uv]\n") and after.endswith("]\n\n[tool.ruff]\n")
    assert "ruff==" not in for_students(after.encode()).decode()
    assert pins.pinned(after, ["torch==2.15.0"], []) == pins.pinned(BEFORE, ["torch==2.15.0"], [])


@pytest.mark.parametrize(
    ("line", "pin"),
    [
        ("filelock==4.3.1", "filelock==4.3.1"),
        ("numpy==2.5.5 ; python_full_version >= '3.12'", "numpy==2.5.5; python_full_version >= '3.12'"),
        ("appnope==0.1.4 ; sys_platform == 'darwin'", "appnope==0.1.4; sys_platform == 'darwin'"),
        ("anyio==4.16.0 ; sys_platform != 'emscripten'", "anyio==4.16.0"),
        ("colorama==0.4.6 ; sys_platform == 'win32'", ""),
        ("tomli==2.0 ; python_full_version < '3.11'", ""),
        ("triton==3.9.0 ; sys_platform == 'linux'", ""),
        ("nvidia-cublas==13.4.1.3", ""),
    ],
)
def test_what_is_pinned_is_what_we_may_install(line, pin):
    assert pins.as_pin(Requirement(line)) == pin
