"""The Dockerfile's steps, as far as they can be tried without Docker."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

TEXT = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
STEPS = [step.split(" ", 1) for step in TEXT.replace("\\\n", " ").splitlines()]
PYTORCH = "--extra-index-url https://download.pytorch.org/whl/cpu"


def of(kind: str) -> list[str]:
    return [rest for name, rest in STEPS if name == kind]


@pytest.fixture
def tools(tmp_path) -> Path:
    """A `pip` that says what it was called with."""
    (tmp_path / "pip").write_text('#!/bin/sh\necho pip "$@"\n')
    (tmp_path / "pip").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(("torch", "index"), [("cpu", f"{PYTORCH} "), ("cuda", "")])
def test_torchs_build_is_the_one_that_is_asked_for(torch, index, tools):
    done = install(torch, tools)
    assert done.stdout == f"pip install --no-cache-dir {index}-r /tmp/requirements.txt\n"


def test_another_build_is_refused(tools):
    done = install("rocm", tools)
    assert (done.returncode, done.stderr, done.stdout) == (2, "TORCH=rocm: expected cpu or cuda\n", "")


def install(torch: str, tools: Path) -> subprocess.CompletedProcess:
    (step,) = (step for step in of("RUN") if "pip install" in step)
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "TORCH": torch}
    return subprocess.run(["sh", "-c", step], env=environment, capture_output=True, text=True)


def test_what_it_copies_is_there_and_its_variables_make_uv_unnecessary():
    assert of("ARG") == ["TORCH=cpu"] and len(of("COPY")) == 1
    for file in of("COPY")[0].split()[:-1]:
        assert (ROOT / file).is_file()
    flags = re.search(r'MAKEFLAGS="(.*?)"', of("ENV")[0])[1]
    done = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True,
                          env={"PATH": "/usr/bin:/bin", "MAKEFLAGS": flags}, check=True)  # fmt: skip
    assert done.stdout.startswith("python main.py --config configs/digits.yaml --solution\n")


def test_its_python_is_one_that_the_pins_are_for():
    (base,) = of("FROM")
    assert f'"{re.fullmatch(r"python:(3[.][0-9]+)-slim", base)[1]}"' in (ROOT / "tests/support/pins.py").read_text()
