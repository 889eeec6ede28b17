"""Imports run one way: a file imports only from floors below its own."""

import ast
from pathlib import Path

import pytest

FLOORS = [
    {f"assignment.ddpm.{name}" for name in ("errors", "seeds", "files", "interrupts", "progress")},
    {"assignment.ddpm.config", "assignment.ddpm.device", "assignment.ddpm.measured_once", "assignment.ddpm.runner"},
    {"assignment.ddpm.race"},
    {"assignment.ddpm.autotune"},
    {f"assignment.ddpm.{name}" for name in ("diffusion", "embeddings", "data", "figures")},
    {"assignment.ddpm.validation", "assignment.ddpm.checkpoint"},
    {"assignment.model", "assignment.sampler", "reference.model", "reference.sampler", "grader.handout.sampler"},
    {"assignment.ddpm.trainer", "assignment.ddpm.sampling"},
    {"assignment.ddpm.training"},
    {"assignment.ddpm.exercise"},
    {"grader"},
    {
        f"grader.{name}"
        for name in (
            "errors",
            "guards",
            "limits",
            "machine",
            "once",
            "processes",
            "rubric",
            "sources",
            "temporary",
            "training_log",
            "wire",
            "checks.finding",
        )
    },
    {"grader.sandbox", "grader.seeds", "grader.packing"},
    {"grader.options", "grader.provisional"},
    {f"grader.checks.{name}" for name in ("contract", "conditioning", "learning", "noise", "schedule")},
    {"grader.checks.samples", "grader.checks.paired"},
    {"grader.metrics"},
    {"grader.metrics.classifier", "grader.metrics.draw", "grader.metrics.triples"},
    {"grader.metrics.copies", "grader.metrics.damage", "grader.metrics.record", "grader.metrics.train_classifier"},
    {"grader.metrics.quality", "grader.metrics.train_damage"},
    {"grader.metrics.floor"},
    {
        "grader.checks.behaviour",
        "grader.checks.sampler_checks",
        "grader.checks.sampler_mistakes",
        "grader.checks.trace",
    },
    {"grader.checks.measure_step"},
    {"grader.checks.reverse_step", "grader.checks.end_to_end", "grader.checks.step_errors"},
    {"grader.probes", "grader.answers"},
    {"grader.nursery"},
    {"grader.worker", "grader.submission"},
    {"grader.in_process"},
    {"grader.results", "grader.grading", "grader.pace"},
    {"grader.network", "grader.sampler", "grader.verdict"},
    {"grader.overfit", "grader.finished", "grader.pictures", "grader.reports.terminal"},
    {f"grader.reports.{name}" for name in ("html", "reading", "whole_points", "wording")},
    {"grader.reports.github"},
    {
        f"grader.reports.{name}"
        for name in (
            "classroom50",
            "github_annotations",
            "github_classroom",
            "github_summary",
            "gradescope",
            "junit",
            "prairielearn",
            "table",
        )
    },
    {f"grader.classroom.{name}" for name in ("handed_in", "statistics", "jobs")},
    {"grader.classroom.page"},
    {"grader.classroom.tables"},
    {"grader.conftest"},
    {"grader.fixtures_network", "grader.fixtures_trained"},
    {*(f"grader.test_level{level}" for level in (1, 2, 3, 4)), "grader.grade"},
    {"grader.train", "grader.replay", "grader.report"},
    {"grader.classroom.audit", "grader.handout.command"},
    {"grader.classroom.sitting"},
    {"grader.classroom.command"},
    {f"grader.platforms.{name}" for name in ("so_far", "take", "pack", "log", "measure_pace")},
    {"grader.platforms.inside", "grader.platforms.apart", "grader.platforms.github.grade"},
    {"grader.platforms.gradescope.run", "grader.platforms.classroom50.run", "grader.platforms.classroom50.autograder"},
    {"grader.platforms.gradescope.command", "grader.platforms.classroom50.command"},
    {"grader.recording.training"},
    {"grader.recording.measure"},
    {"grader.recording.status"},
    {"grader.__main__", "grader.recording.__main__"},
    {"main"},
]
LEVEL = {module: level for level, modules in enumerate(FLOORS) for module in modules}
# what receives networks and samplers as arguments, and what judges them, must not import them
STRANGERS = {"assignment.model", "assignment.sampler", "reference.model", "reference.sampler"}
KNOWN = {
    "grader.metrics.draw": {"reference.sampler"},  # samples of trained networks are drawn with it, and nothing else
    "grader.recording.training": {"reference.model", "reference.sampler"},  # what is recorded is the reference's
    "grader.recording.measure": {"reference.model"},
}


def imports(source: str) -> set[str]:
    """The project's modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in LEVEL or name.split(".")[0] in ("tests", "main")}


def violations(module: str, source: str) -> list[str]:
    if module not in LEVEL:
        return [f"{module} stands on no floor: give it one in tests/test_floors.py"]
    wrong = {name for name in imports(source) if LEVEL.get(name, len(FLOORS)) >= LEVEL[module]}
    if module.startswith(("assignment.ddpm.", "grader")):
        wrong |= imports(source) & STRANGERS - KNOWN.get(module, set())
    return sorted(f"{module} imports {name}" for name in wrong)


def modules() -> dict[str, str]:
    files = [
        Path("main.py"),
        *(file for room in ("assignment", "reference", "grader") for file in Path(room).rglob("*.py")),
    ]
    named = {".".join(file.with_suffix("").parts): file.read_text() for file in files if file.name != "__init__.py"}
    assert len(named) > 15
    return named


def test_every_file_imports_only_from_below():
    assert [line for module, source in modules().items() for line in violations(module, source)] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("assignment.ddpm.diffusion", "from assignment.ddpm.training import fit"),
        ("assignment.ddpm.data", "import assignment.ddpm.diffusion"),
        ("assignment.ddpm.training", "from assignment.model import DiffusionModel"),
        ("assignment.ddpm.exercise", "def f():\n    from reference.sampler import DDPMSampler"),
        ("assignment.ddpm.config", "from assignment.ddpm import exercise"),
        ("reference.model", "from assignment.sampler import DDPMSampler"),
        ("assignment.model", "from grader.checks import finding"),
        ("grader.checks.trace", "from grader.submission import Submission"),
        ("grader.results", "from grader.reports import terminal"),
        ("grader.test_level4", "from reference.sampler import DDPMSampler"),
        ("grader.submission", "from assignment.model import DiffusionModel"),
        ("assignment.ddpm.brand_new", ""),
    ],
)
def test_the_test_can_fail(module, source):
    assert violations(module, source)
