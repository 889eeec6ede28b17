"""Imports go one way: a file imports only from rooms below its own, and within its room never in a circle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

# from the bottom up; rooms on the same floor don't import each other
FLOORS = [
    {"assignment.ddpm"},
    {"assignment", "reference"},
    {"grader.worker"},
    {"grader: what a grading is"},
    {"grader.checks"},
    {"grader.metrics", "grader.submission", "grader.reports"},
    {"grader.similarity", "grader.student"},
    {"grader.suite"},
    {"grader: the rubric", "grader.extra"},
    {"grader: commands"},
    {"grader.rescoring"},
    {"grader.bundles", "grader.classroom", "grader.recording"},
    {"grader.exports", "grader.platforms"},
    {"grader: the command line", "main"},
]
ROOT_FILES = {
    "grader: what a grading is": {
        "bands", "check_ids", "errors", "grading_config", "grading_options", "provisional", "results", "runs",
        "sections",
    },
    "grader: the rubric": {
        "conftest", "test_level1", "test_level2", "test_level3", "test_level4", "test_level5",
        "test_level6",
    },
    "grader: commands": {
        "grade", "grade_command", "grade_with_training", "train_submission", "estimate_training", "replay", "submit",
        "trained_code", "set_up", "notebook", "demo_bonus",
    },
    "grader: the command line": {"__main__"},
}  # fmt: skip
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
# code that receives networks and samplers as arguments, or judges them, must not import them
STRANGERS = {"assignment.model", "assignment.sampler", "reference.model", "reference.sampler"}
KNOWN = {
    "grader.metrics.draw": {"reference.sampler"},  # only to draw samples of trained networks
    "grader.recording.training": {"reference.model", "reference.sampler"},  # the record is of the reference
    "grader.metrics.reference": {"reference.model"},  # the record's own network
}


def room(module: str) -> str:
    """The room of a file: its folder, or for files directly in grader/ their kind."""
    parts = module.split(".")
    if parts[0] == "grader" and len(parts) == 2:
        return next((name for name, files in ROOT_FILES.items() if parts[1] in files), "nowhere")
    return ".".join(parts[:2] if len(parts) > 2 else parts[:1])


def imports(source: str, known: set[str]) -> set[str]:
    """The project's modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in known or name.split(".")[0] == "tests"}


def violations(module: str, source: str, known: set[str]) -> list[str]:
    if room(module) not in LEVEL:
        return [f"{module} stands in no room: give it one in tests/test_floors.py"]
    found = imports(source, known)
    wrong = {
        name for name in found
        if room(name) != room(module) and LEVEL.get(room(name), len(FLOORS)) >= LEVEL[room(module)]
    }  # fmt: skip
    if module.startswith(("assignment.ddpm.", "grader")):
        wrong |= found & STRANGERS - KNOWN.get(module, set())
    return sorted(f"{module} imports {name}" for name in wrong)


def circle(files: dict[str, str]) -> list[str]:
    """A circle of imports; empty if there is none."""
    try:
        TopologicalSorter({name: imports(source, set(files)) for name, source in files.items()}).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def modules() -> dict[str, str]:
    files = [
        Path("main.py"),
        *(file for room in ("assignment", "reference", "grader") for file in Path(room).rglob("*.py")),
    ]
    named = {".".join(file.with_suffix("").parts): file.read_text() for file in files if file.name != "__init__.py"}
    assert len(named) > 15
    return named


def test_every_file_imports_only_from_below():
    files = modules()
    assert [line for module, source in files.items() for line in violations(module, source, set(files))] == []
    assert circle(files) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("assignment.ddpm.training", "from assignment.model import DiffusionModel"),
        ("assignment.ddpm.exercise", "def f():\n    from reference.sampler import DDPMSampler"),
        ("reference.model", "from assignment.sampler import DDPMSampler"),
        ("assignment.model", "from grader.checks import finding"),
        ("grader.checks.sampler_calls", "from grader.submission.process import Submission"),
        ("grader.worker.probes", "from grader.checks import finding"),
        ("grader.worker.probes", "from grader.errors import GraderFault"),
        ("grader.results", "from grader.reports import terminal"),
        ("grader.test_level4", "from reference.sampler import DDPMSampler"),
        ("grader.submission.process", "from assignment.model import DiffusionModel"),
        ("grader.student.network", "from tests.proof.bank import RIGHT"),
        ("grader.brand_new", ""),
        ("somewhere.brand_new", ""),
    ],
)
def test_the_test_can_fail(module, source):
    assert violations(module, source, {*modules(), module})


def test_a_circle_is_found():
    there = {"assignment.ddpm.a": "from assignment.ddpm.b import x", "assignment.ddpm.b": "import assignment.ddpm.a"}
    assert set(circle(there)) == set(there)
    assert circle({"assignment.ddpm.a": "from assignment.ddpm.b import x", "assignment.ddpm.b": ""}) == []
