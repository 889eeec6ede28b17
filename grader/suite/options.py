"""The grader's pytest options: a plugin (see pyproject.toml), as options are read before conftest.py is found."""

import os
from pathlib import Path

import pytest

from grader import ROOT
from grader.grading_options import OPTIONS

SHARED = ("--config", "--secret-seed", "--sandbox", "--weights", "--inception", "--trusted")
PUBLIC_SEED = "of the judge's inputs; default: a public one, so that a run can be repeated"


PATHS = ("config", "submission", "figures", "results", "secret_seed")  # options that name a file or a folder
LEFT = {"figures": Path("outputs/grading"), "results": "outputs/grading/results.json"}  # in the root, unless told


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Bare pytest in a folder of the project that has no tests of its own grades, as it does in the project's root."""
    here = early_config.invocation_params.dir
    if ROOT in here.parents and not early_config.known_args_namespace.file_or_dir and not has_tests(here):
        suite = str(ROOT / "grader")
        args.append(suite)
        early_config.known_args_namespace.file_or_dir = [suite]


def has_tests(folder: Path) -> bool:
    return next(folder.rglob("test_*.py"), None) is not None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Settings, data and outputs are found from the project's root, wherever in it pytest was called."""
    here, option = config.invocation_params.dir, config.option
    if ROOT not in here.parents or has_tests(here):
        return
    for name in PATHS:
        given = getattr(option, name)
        if given not in (None, "", "draw"):
            is_of_root = given == LEFT.get(name) or (not (here / given).exists() and (ROOT / given).exists())
            # absolute, as pytest goes back before the results are written and the next step is named
            setattr(option, name, type(given)((ROOT if is_of_root else here).joinpath(given).resolve()))
    os.chdir(ROOT)
    config.add_cleanup(lambda: os.chdir(here))


def pytest_addoption(parser: pytest.Parser) -> None:
    add = parser.getgroup("grader").addoption
    for name in SHARED:
        add(name, **OPTIONS[name])
    add("--trained", action="append", default=[], metavar="CONFIG=FILE", help="weights that the course has trained")
    add("--submission", type=Path, default=ROOT / "assignment", help="folder with model.py and sampler.py")
    add("--set", action="append", default=[], metavar="KEY=VALUE",
        help="override a key of the configuration, as in --set data.root=/datasets; may be repeated")  # fmt: skip
    add("--seed", **OPTIONS["--seed"] | {"help": PUBLIC_SEED})
    add("--check", **OPTIONS["--check"] | {"default": []})
    add("--figures", type=Path, default=LEFT["figures"], help="where pictures are written")
    add("--results", default=LEFT["results"], metavar="FILE", help="what `make report` shows; '': none")
    add("--in-process", action="store_true", help="run the submission in this process, for a debugger; advisory only")
    add("--rows-only", action="store_true", help="without the summary, as more follows")
    add("--details", action="store_true", help="show everything about every check that did not pass")
