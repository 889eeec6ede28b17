"""The README, the Makefile and --help tell the truth."""

import importlib
import re
import shlex
import subprocess
from contextlib import suppress

import pytest

import main
from grader.__main__ import COMMANDS
from grader.check_ids import needs_training
from grader.grading_config import load_grading
from grader.student.deadlines import FACTOR
from tests.bench.report import PAGES, fill
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def tree_in_readme() -> set[str]:
    """Paths named in the README's tree, by indentation."""
    block = README.split("## The tree")[1].split("```")[1]
    paths, parents = set(), []
    for line in block.strip("\n").splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        parents = [*parents[:depth], name]
        names = re.findall(r"\w+\.yaml", line) if name == "configs/" else []
        paths |= {"".join(parents), *(f"configs/{n}" for n in names)}
    return paths


def test_the_tree_is_the_tree():
    named = tree_in_readme()
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rooms = ("assignment/", "reference/", "configs/", "grader/")
    source = {p for p in tracked if p.startswith(rooms) and not p.endswith(".png")}
    top = {p.split("/")[0] + "/" if "/" in p else p for p in tracked if not p.startswith(".")}
    rest = {"LICENSE", "CHANGELOG.md", "DECISIONS.md"}
    assert (source | top) - named - rest - {p for p in source if p.endswith("__init__.py")} == set()


def commands(start: str) -> list[str]:
    code = "\n".join(re.findall(r"```(?:sh)?\n(.*?)```", README, re.DOTALL) + re.findall(r"`([^`\n]+)`", README))
    return [line.split("#")[0].strip() for line in code.splitlines() if line.startswith(start)]


def test_every_make_command_is_a_verb_of_the_makefile():
    verbs = set(re.findall(r"^([a-z0-9-]+):.*##", MAKEFILE, re.MULTILINE))
    named = {command.split()[1] for command in commands("make ")}
    assert {"demo", "test", "bench", "sample"} <= named <= verbs


def test_every_option_of_the_grader_is_one_that_it_has(capsys):
    shown = [c for c in commands("uv run python -m grader ") if not c.endswith("…")]
    assert len(shown) >= 6
    for command in shown:
        first, *words = shlex.split(command.removeprefix("uv run python -m grader "))
        front = importlib.import_module(COMMANDS.get(first, "grader.__main__"))
        with suppress(SystemExit):
            front.main(["--help"])
        said = capsys.readouterr().out
        for word in words:
            assert not word.startswith("--") or re.search(rf"{word}\b", said), command


def test_the_time_that_a_network_may_take_is_the_one_that_it_gets():
    assert README.count(f" {FACTOR} times ") == 2


def test_the_points_without_a_training_are_those_that_the_readme_says():
    points = load_grading().points
    untrained = sum(value for name, value in points.items() if not needs_training(name))
    assert (
        f"set\nthe points to {untrained:g}." in README and untrained == sum(points.values()) / 2
    )  # "half of the points"


def test_bare_make_lists_every_verb():
    out = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for verb in ("demo", "train", "sample", "test", "lint", "bench", "clean"):
        assert f"make {verb} " in out


def test_every_main_command_parses():
    prefix = "uv run python main.py "
    found = [c for c in commands(prefix) if "X.yaml" not in c]
    assert len(found) >= 3
    for command in found:
        main.parse(shlex.split(command.removeprefix(prefix)))


def test_every_key_of_the_readme_is_a_key_of_the_configuration():
    keys = re.findall(r"`((?:data|model|training|sampling|runtime)\.\w+=[^` ]+)", README)
    assert len(keys) >= 9
    for key in keys:
        main.parse(["--config", "configs/digits.yaml", key])


def test_help_and_readme_show_the_same_usage(capsys):
    with pytest.raises(SystemExit) as stop:
        main.parse(["--help"])
    assert stop.value.code == 0
    usage = "main.py --config configs/X.yaml [--solution] [--custom-sampler] [key.path=value …]"
    assert f"usage: {usage}" in capsys.readouterr().out
    assert f"uv run python {usage}" in README and usage in main.__doc__.replace("fashion_mnist", "X")


def test_the_error_that_the_readme_shows_is_the_one_that_a_student_meets(tree):
    (tree.path / "assignment" / "model.py").write_text((ROOT / "assignment" / "model.py").read_text())
    _, _, err = tree.run()
    assert err in README


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_figures_in_prose_are_those_of_the_result_files(page):
    text = (ROOT / page).read_text()
    assert fill(text) == text
