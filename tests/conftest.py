"""Fixtures shared by the project's tests."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from grader import grading_config
from grader.grading_config import GRADING
from tests.support.browser import CHROMIUM, Browser

ROOT = Path(__file__).parent.parent
# A background job ignores Ctrl-C, and so would every process that the tests start, although some are to be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)
# No test has a terminal, whose width xdist hands on in COLUMNS; there, lines would be wrapped.
# A `make` that a test starts is not part of `make test`: it would name its folder, and take over the flags.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "COLUMNS"):
    os.environ.pop(name, None)
# files that take minutes, in one or two tests: started last, they would leave the other core idle
LONGEST = (
    "test_gpu_script",
    "test_notebook",
    "test_prove",
    "test_classroom",
    "test_handout",
    "test_gradescope",
    "test_kills",
    "test_levels",
    "test_grader",
    "test_hostile",
    "test_mounts",
    "test_training_ends",
    "test_secret",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files come first; the order within a file stays."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Fashion-MNIST and CIFAR-10: ./data, or unpacked from a shared folder next to the checkout."""
    if (ROOT / "data" / "FashionMNIST").exists() and (ROOT / "data" / "cifar-10-batches-py").exists():
        return ROOT / "data"
    unpack = ROOT.parent / "shared" / "data" / "unpack.py"
    if not unpack.exists():
        pytest.skip("the real data sets are not on this machine")
    root = tmp_path_factory.mktemp("data")
    subprocess.run([sys.executable, unpack, root], check=True, stdout=subprocess.DEVNULL)
    return root


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[dict], None]], None]:
    """Puts another grading.yaml in the place of the shipped one."""

    def edit(change: Callable[[dict], None]) -> None:
        values = OmegaConf.to_container(OmegaConf.load(GRADING))
        change(values)
        OmegaConf.save(OmegaConf.create(values), tmp_path / "grading.yaml")
        monkeypatch.setattr(grading_config, "GRADING", tmp_path / "grading.yaml")

    return edit


class Tree:
    """A student's own checkout, in which main.py is run as a student runs it."""

    QUICK = ("model.num_timesteps=20", "sampling.num_images=2", "data.limit=256", "runtime.device=cpu")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_dir = path / "outputs" / "digits-student"

    def start(self, *args: str) -> subprocess.Popen:
        command = [sys.executable, "main.py", "--config", "configs/digits.yaml", *self.QUICK, *args]
        return subprocess.Popen(
            command,
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        )

    def run(self, *args: str) -> tuple[int, str, str]:
        process = self.start(*args)
        out, err = process.communicate(timeout=240)
        return process.returncode, out, err


def plant(path: Path) -> Tree:
    for name in ("assignment", "reference", "configs"):
        shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "main.py", path)
    shutil.copy(ROOT / "tests" / "support" / "networks.py", path / "assignment" / "model.py")
    return Tree(path)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return plant(tmp_path / "a student's checkout")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("there is no chromium on this machine: apt install chromium")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
