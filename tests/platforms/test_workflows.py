"""Workflows, shell scripts and the citation pass the usual linters, without a network."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import grader
from tests.conftest import ROOT
from tests.support.pins import PYTHONS

WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / "grader/platforms/github/caller.yml"]
SCRIPTS = [
    file for folder in ("grader/platforms", ".ci") for file in sorted((ROOT / folder).rglob("*"))
    if file.is_file() and file.read_bytes().startswith(b"#!/usr/bin/env bash")
]  # fmt: skip
EVIL = """on: pull_request_target
jobs:
  grade:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.event.pull_request.title }}
"""


def run(tool: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [Path(sys.executable).parent / tool, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def zizmor(*files: Path) -> subprocess.CompletedProcess:
    config = ROOT / ".github" / "zizmor.yml"
    return run("zizmor", "--offline", "--no-progress", "--persona", "pedantic", "--config", config, *files)


def schema(*files: Path, name: str = "github-workflows") -> subprocess.CompletedProcess:
    return run("check-jsonschema", "--builtin-schema", f"vendor.{name}", *files)


@pytest.mark.parametrize("lint", [zizmor, schema])
def test_workflows_are_right(lint):
    done = lint(*WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linters_find_something(tmp_path):
    file = tmp_path / "workflow.yml"
    file.write_text(EVIL)
    assert schema(file).returncode == 0
    found = zizmor(file)
    assert found.returncode and "template-injection" in found.stdout and "dangerous-triggers" in found.stdout
    file.write_text(EVIL.replace("runs-on", "run-on"))
    assert schema(file).returncode
    (tmp_path / "a.sh").write_text("#!/usr/bin/env bash\necho $1\n")
    assert "SC2086" in run("shellcheck", tmp_path / "a.sh").stdout


def test_shell_scripts_are_right():
    assert sorted(file.name for file in SCRIPTS) == ["run", "run_autograder", "setup.sh", "setup.sh"]
    done = run("shellcheck", *SCRIPTS)
    assert done.returncode == 0, done.stdout
    for file in SCRIPTS:
        assert subprocess.run(["bash", "-n", file]).returncode == 0


def test_scripts_in_workflows_are_short():
    for file in WORKFLOWS:
        assert "run: |" not in file.read_text(), "what is longer than a line can't be tested there"


def test_our_own_tests_run_on_the_oldest_and_the_newest_python_that_we_say():
    """The workflow's Pythons are those of pyproject.toml and of the pins; what a developer gets is the oldest."""
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    assert json.loads(re.search(r"python: (\[.*\])", text)[1]) == [PYTHONS[0], PYTHONS[-1]]
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert oldest == f">={PYTHONS[0]}" and (ROOT / ".python-version").read_text() == f"{PYTHONS[0]}\n"
    rooms = re.findall(r"tests/\w+", text)
    assert len(rooms) > 5 and all((ROOT / room).is_dir() for room in rooms)


def test_the_citation_is_one(tmp_path):
    done = schema(ROOT / "CITATION.cff", name="citation-file-format")
    assert done.returncode == 0, done.stdout
    version = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert version == grader.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (tmp_path / "CITATION.cff").write_text("cff-version: 1.2.0\n")
    assert schema(tmp_path / "CITATION.cff", name="citation-file-format").returncode


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_what_these_pages_name_is_there(page):
    """Files, folders, verbs, commands, links."""
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:assignment|reference|grader|tests|configs|\.ci|\.github)/[^`… ]*)`", text)
    links = re.findall(r"\]\((?!https://)([^)#]+)\)", text)
    assert named and [path for path in (*named, *links) if not any(ROOT.glob(path))] == []
    verbs = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in re.findall(r"(?:^|`)\s*make ([a-z0-9 -]+?)(?:  |`|$)", text, re.MULTILINE):
        assert set(line.split()) <= verbs, line
    for module in re.findall(r"python -m (tests[\w.]+)", text):
        assert importlib.util.find_spec(module), module
