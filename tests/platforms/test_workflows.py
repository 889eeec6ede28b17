"""Workflow files and shell scripts pass the usual linters, without a network."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / "grader/platforms/github/caller.yml"]
SCRIPTS = [
    file for file in sorted((ROOT / "grader" / "platforms").rglob("*"))
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


def schema(*files: Path) -> subprocess.CompletedProcess:
    return run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)


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
    assert {file.name for file in SCRIPTS} == {"setup.sh", "run_autograder"} and len(SCRIPTS) == 3
    done = run("shellcheck", *SCRIPTS)
    assert done.returncode == 0, done.stdout
    for file in SCRIPTS:
        assert subprocess.run(["bash", "-n", file]).returncode == 0


def test_scripts_in_workflows_are_short():
    for file in WORKFLOWS:
        assert "run: |" not in file.read_text(), "what is longer than a line can't be tested there"
