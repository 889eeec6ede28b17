"""The grader's options of pytest: a plugin (see pyproject.toml), as they are read before conftest.py is found."""

from pathlib import Path

import pytest

from grader import ROOT
from grader.sandbox import KINDS


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("grader")
    group.addoption("--submission", type=Path, default=ROOT / "assignment", help="folder with model.py and sampler.py")
    group.addoption(
        "--config",
        type=Path,
        default=None,
        help="the configuration that is graded on; else Fashion-MNIST, and for level 3 CIFAR-10",
    )
    group.addoption(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="overrides a key of the configuration"
    )
    group.addoption(
        "--seed", type=int, default=None, help="of the judge's inputs; else a public one, so that a run can be repeated"
    )
    group.addoption(
        "--secret-seed",
        default=None,
        metavar="FILE",
        help="a seed that follows from the secret in this file and from the submission, or `draw` for a fresh one",
    )
    group.addoption("--sandbox", choices=KINDS, default="auto", help="auto: where there is one; required; none")
    group.addoption(
        "--weights",
        type=Path,
        default=None,
        metavar="FILE",
        help="the trained weights; else weights.safetensors of the run that main.py has left",
    )
    group.addoption("--check", action="append", default=[], metavar="ID", help="only this check; may be repeated")
    group.addoption("--figures", type=Path, default=Path("outputs/grading"), help="where pictures are written")
    group.addoption(
        "--inception",
        default=None,
        metavar="FILE",
        help="also tell the customary FID, by Inception-v3 from torch-fidelity's file of weights, or `download`",
    )
    group.addoption("--trusted", action="store_true", help="allow ready-made networks: for the reference itself")
    group.addoption("--in-process", action="store_true", help="no second process, for a debugger; advisory only")
    group.addoption("--details", action="store_true", help="everything about every check that did not pass")
