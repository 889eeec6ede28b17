"""The grader's pytest options: a plugin (see pyproject.toml), as options are read before conftest.py is found."""

from pathlib import Path

import pytest

from grader import ROOT
from grader.grading_options import OPTIONS

SHARED = ("--config", "--secret-seed", "--sandbox", "--weights", "--inception", "--trusted")
PUBLIC_SEED = "of the judge's inputs; default: a public one, so that a run can be repeated"


def pytest_addoption(parser: pytest.Parser) -> None:
    add = parser.getgroup("grader").addoption
    for name in SHARED:
        add(name, **OPTIONS[name])
    add("--trained", action="append", default=[], metavar="CONFIG=FILE", help="weights that the course has trained")
    add("--submission", type=Path, default=ROOT / "assignment", help="folder with model.py and sampler.py")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of the configuration")
    add("--seed", **OPTIONS["--seed"] | {"help": PUBLIC_SEED})
    add("--check", action="append", default=[], metavar="ID", help="only this check; may be repeated")
    add("--figures", type=Path, default=Path("outputs/grading"), help="where pictures are written")
    add("--results", default="outputs/grading/results.json", metavar="FILE", help="what `make report` shows; '': none")
    add("--in-process", action="store_true", help="run the submission in this process, for a debugger; advisory only")
    add("--details", action="store_true", help="show everything about every check that did not pass")
