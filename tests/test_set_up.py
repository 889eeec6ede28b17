"""`make env` takes torch's build for CPUs where it fits and can be had, and everything that follows stays with it.

The indexes are stand-ins, with packages of a few bytes; uv, the Makefile and the settings in pyproject.toml are not.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from assignment.ddpm.errors import UserError
from grader import set_up
from tests.conftest import ROOT
from tests.support.package_index import add_wheel, served
from tests.support.pins import find_uv

PYPROJECT = (ROOT / "pyproject.toml").read_text()
NEEDS_TORCH = """[project]
name = "needs-torch"
version = "1"
requires-python = ">=3.11"
dependencies = ["torch>=2.11", "torchvision"]
"""
NOWHERE = "http://127.0.0.1:9"  # the port of "discard": nobody listens
VERSION = "import torch, torchvision; print(torch.VERSION, torchvision.VERSION)"
FOR_CPUS, AS_ON_PYPI = "2.15.0+cpu 0.29.2+cpu", "2.15.0 0.29.2"


@pytest.fixture(scope="module")
def indexes(tmp_path_factory) -> Path:
    """PyPI, PyTorch's builds for CPUs, and an index of these that is not up to date."""
    pins = dict(pin.split(";")[0].split("==") for pin in settings()["constraint-dependencies"])
    torch, vision = pins["torch"], pins["torchvision"]
    assert [f"{torch} {vision}", f"{torch}+cpu {vision}+cpu"] == [AS_ON_PYPI, FOR_CPUS], "the pins have changed"
    root = tmp_path_factory.mktemp("indexes")
    add_wheel(root / "pypi", "torch", torch, needs=("libraries-of-cuda", "filelock"))
    add_wheel(root / "pypi", "torchvision", vision, needs=(f"torch=={torch}",))
    add_wheel(root / "pypi", "libraries_of_cuda", "13.0")
    (root / "pypi" / "libraries_of_cuda").rename(root / "pypi" / "libraries-of-cuda")
    add_wheel(root / "pypi", "filelock", pins["filelock"])
    for folder, version in (("cpu", torch), ("old", "2.11.0")):
        for platform in ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64"):
            add_wheel(root / folder, "torch", f"{version}+cpu", needs=("filelock",), platform=platform)
            add_wheel(root / folder, "torchvision", f"{vision}+cpu", needs=(f"torch=={version}",), platform=platform)
        add_wheel(root / folder, "torch", version, needs=("filelock",), platform="macosx_14_0_arm64")
        add_wheel(root / folder, "torchvision", vision, needs=(f"torch=={version}",), platform="macosx_14_0_arm64")
        add_wheel(root / folder, "filelock", "3.0")  # PyTorch's index has some of PyPI's packages, in other versions
    return root


def settings() -> dict:
    return tomllib.loads(PYPROJECT)["tool"]["uv"]


class Project:
    """A copy of what sets up, which needs torch only."""

    def __init__(self, path: Path, indexes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.indexes = path, indexes
        (path / "grader").mkdir()
        for name in ("Makefile", "grader/makefile.awk", "grader/set_up.py"):
            shutil.copy(ROOT / name, path / name)
        settings = re.search(r"^\[tool\.uv\]\n.*?(?=^\[tool\.pytest)", PYPROJECT, re.MULTILINE | re.DOTALL)[0]
        (path / "pyproject.toml").write_text(f"{NEEDS_TORCH}\n{settings}")
        monkeypatch.setattr(set_up, "ROOT", path)
        monkeypatch.setattr(set_up, "why_not_cpu", lambda: "")
        monkeypatch.setenv("UV_CACHE_DIR", str(path / "cache"))
        monkeypatch.setenv("UV_PYTHON", sys.executable)
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.delenv("VIRTUAL_ENV", raising=False)

    def reach(self, monkeypatch: pytest.MonkeyPatch, address: str, cpu_index: str) -> None:
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"{address}/pypi")
        monkeypatch.setenv("TORCH_CPU_INDEX", cpu_index)

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def torch(self) -> str:
        return self.run(UV, "run", "python", "-c", VERSION)


@pytest.fixture
def project(tmp_path, indexes, monkeypatch) -> Project:
    return Project(tmp_path, indexes, monkeypatch)


try:
    UV = find_uv()
except UserError:
    pytestmark = pytest.mark.skip("uv is not installed")


def test_without_a_gpu_the_build_for_cpus_is_taken_and_kept(project, monkeypatch, capfd):
    with served(project.indexes) as address:
        project.reach(monkeypatch, address, f"{address}/cpu")
        assert set_up.run(UV, "auto") == 0
    assert "torch: its build for CPUs\n" in capfd.readouterr().out
    # no index answers any more
    assert project.torch() == FOR_CPUS
    project.run(UV, "sync")
    assert project.run("make", "env") == ""
    (project.path / "uv.lock").unlink()  # as after a change of pyproject.toml
    assert project.run(UV, "run", "--offline", "python", "-c", VERSION) == FOR_CPUS
    shutil.rmtree(project.path / ".venv")
    assert set_up.run(UV, "auto") == 0 and project.torch() == FOR_CPUS


@pytest.mark.parametrize("cpu_index", [NOWHERE, "/pypi/filelock", "/old"], ids=["unreachable", "another page", "old"])
def test_where_it_cannot_be_had_torch_is_taken_as_on_pypi(project, cpu_index, monkeypatch, capfd):
    with served(project.indexes) as address:
        project.reach(monkeypatch, address, cpu_index if cpu_index == NOWHERE else address + cpu_index)
        assert set_up.run(UV, "auto") == 0
        said = capfd.readouterr().out
    assert project.torch() == AS_ON_PYPI and not (project.path / ".torch").exists()
    assert ("could not be installed" if cpu_index == "/old" else "can't be reached") in said


def test_make_changes_the_build_both_ways(project, monkeypatch):
    with served(project.indexes) as address:
        project.reach(monkeypatch, address, f"{address}/cpu")
        for torch, version in (("cuda", AS_ON_PYPI), ("cpu", FOR_CPUS), ("cuda", AS_ON_PYPI)):
            project.run("make", "env", f"UV={UV}", f"TORCH={torch}")
            assert project.torch() == version


def test_a_build_that_cannot_be_had_changes_nothing(project, monkeypatch, capfd):
    with served(project.indexes) as address:
        project.reach(monkeypatch, address, NOWHERE)
        assert set_up.run(UV, "cuda") == 0
        capfd.readouterr()
        assert set_up.run(UV, "cpu") == 2 and set_up.run(UV, "gpu") == 2
        said = capfd.readouterr().err
        monkeypatch.setenv("TORCH_CPU_INDEX", f"{address}/old")
        assert set_up.run(UV, "cpu") == 2
    assert said.startswith("error: TORCH=cpu: the index of its builds for CPUs can't be reached: ")
    assert said.endswith("error: TORCH=gpu: expected one of auto, cpu, cuda\n")
    assert project.torch() == AS_ON_PYPI


def test_a_failed_set_up_is_begun_anew(project, monkeypatch):
    project.reach(monkeypatch, NOWHERE, NOWHERE)
    assert set_up.run(UV, "auto") != 0
    assert not (project.path / ".venv").exists()


def test_a_gpu_or_a_cluster_keeps_the_build_with_cuda(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(set_up, "SIGNS_OF_NVIDIA", (tmp_path / "version",))
    assert set_up.why_not_cpu() == ""
    (tmp_path / "sbatch").touch(mode=0o755)
    assert "Slurm" in set_up.why_not_cpu()
    (tmp_path / "nvidia-smi").touch(mode=0o755)
    assert "GPU" in set_up.why_not_cpu()
    (tmp_path / "nvidia-smi").unlink()
    (tmp_path / "version").touch()
    assert "GPU" in set_up.why_not_cpu()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "small" in set_up.why_not_cpu()


def test_no_host_but_pytorchs_own_is_named():
    for name in ("pyproject.toml", "Makefile", "grader/set_up.py"):
        hosts = set(re.findall(r"https?://([^/\s\"']+)", (ROOT / name).read_text()))
        assert hosts <= {"download.pytorch.org"}, name
    assert os.environ.get("TORCH_CPU_INDEX") is None  # what is tested is what students get
