"""make ignores no mistyped variable, and says what was meant."""

import os
import re
import subprocess

import pytest

from tests.conftest import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
VERB = re.compile(r"^([a-z0-9-]+):.*?## (.*)\n((?:\t.*\n)*)", re.MULTILINE)
ALWAYS = {"PYTHON", "UV", "TORCH", "MAKE", "WORDS", "MAKEFILE_LIST", "JUDGED"}  # … or of the Makefile's own


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["test-level1", "CONFIGS=configs/digits.yaml"], "(did you mean CONFIG?)"),
        (["test-level1", "config=configs/digits.yaml"], "(did you mean CONFIG?)"),
        (["test-level1", "k=shapes"], "takes no variable k (did you mean K?)"),
        (["grade", "K=shapes"], "takes no variable K; it takes SUBMISSION, CONFIG, ARGS"),
        (["submit", "SUBMISION=mine"], "(did you mean SUBMISSION?)"),
        (["demo", "CONFIG=configs/cifar10.yaml"], "it takes none"),
        (["test-level1", "CHECK=shapes"], "CHECK; it takes"),
        (["tset-level1"], "there is no verb tset-level1 (did you mean test-level1?)"),
        (["level4"], "(did you mean test-level4?)"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_mistyped_is_told_with_the_nearest(typed, says):
    done = make(*typed)
    assert done.returncode == 2 and says in done.stderr and len(done.stderr.splitlines()) == 1 and not done.stdout


@pytest.mark.parametrize(
    "typed",
    [
        ["test-level1", "CONFIG=configs/digits.yaml", "K=shapes or range", "PYTHON=python"],
        ["train", "report", "CONFIG=a", "ARGS=b='c d' \"e\""],
        ["demo", "TORCH=cpu"],
        ["V=1"],
    ],
    ids=" ".join,
)
def test_what_a_verb_takes_is_taken(typed):
    done = make(*typed)
    assert done.returncode == 0 and not done.stderr


def test_a_verbs_help_names_the_variables_that_its_recipe_uses():
    shared = dict(re.findall(r"^(GRADE) = (.*)", MAKEFILE, re.MULTILINE))
    for verb, says, recipe in VERB.findall(MAKEFILE):
        for name, means in shared.items():
            recipe = recipe.replace(f"$({name})", means)
        used = set(re.findall(r"\$\((?:or \$\(|if \$\()?([A-Z_]+)", recipe)) - ALWAYS
        assert used == set(re.findall(r"([A-Z]+)=", says)) - ALWAYS, verb


@pytest.mark.parametrize("columns", ["70", "80", "120"])
def test_help_is_no_wider_than_the_terminal(columns):
    env = {"PATH": os.environ["PATH"], "COLUMNS": columns}
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True, env=env)
    assert int(columns) - 10 < max(map(len, done.stdout.splitlines())) <= int(columns)
