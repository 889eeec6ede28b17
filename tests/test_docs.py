"""On every page: commands work; keys, files and links are there; figures are those that were measured."""

import difflib
import importlib
import importlib.util
import re
import shlex
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

import main
from grader.__main__ import COMMANDS, SIMILAR
from grader.check_ids import needs_training
from grader.grading_config import load_grading
from grader.reports.command import FORMATS
from grader.student.deadlines import FACTOR
from tests.bench.report import MAKERS, PAGES, fill
from tests.conftest import ROOT
from tests.proof.bank import entries
from tests.support.pages import code, commands, dead_links

TEXT = {page: (ROOT / page).read_text() for page in PAGES}
ALL = "\n".join(TEXT.values())
STUDENTS, INSTRUCTORS, PLATFORMS, EVIDENCE = (
    TEXT[Path("docs") / f"{name}.md"] for name in ("students", "instructors", "platforms", "evidence")
)
OTHERS = {  # of pytest, gh, uv, pip, wsl, TensorBoard
    "--pdb", "--runtime", "--allowed-files", "--submission-mode", "--with", "--extra-index-url", "--install", "--extra",
    "--logdir",
}  # fmt: skip
VERBS = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
each_page = pytest.mark.parametrize("page", PAGES, ids=str)


@each_page
def test_every_link_leads_somewhere(page):
    assert dead_links(ROOT, str(page)) == []


@each_page
def test_every_make_command_is_a_verb_of_the_makefile(page):
    assert {command.split()[0] for command in commands(TEXT[page], "make ")} - VERBS == set()


def test_every_verb_is_on_some_page():
    assert VERBS - {"help", "train", "clean"} - {command.split()[0] for command in commands(ALL, "make ")} == set()


@each_page
def test_every_option_of_the_grader_is_one_that_it_has(page, capsys):
    for command in commands(TEXT[page], "python -m grader "):
        first, *words = shlex.split(command)
        assert first in COMMANDS or not difflib.get_close_matches(first, COMMANDS, n=1, cutoff=SIMILAR), command
        front = importlib.import_module(COMMANDS[first if first in COMMANDS else "grade"][0])
        with suppress(SystemExit):
            front.main(["--help"])
        said = capsys.readouterr().out
        for word in words:
            assert not word.startswith("--") or re.search(rf"{word}\b", said), command


@each_page
def test_every_flag_is_one_that_some_command_has(page):
    files = [*ROOT.glob("grader/**/*.py"), *ROOT.glob("tests/**/*.py"), ROOT / "main.py"]
    source = "".join(file.read_text() for file in files if file.name != "test_docs.py")
    flags = {word for piece in code(TEXT[page]) for word in re.findall(r"(?<!\S)--[a-z][\w-]*", piece)}
    assert [flag for flag in sorted(flags - OTHERS) if f'"{flag}"' not in source] == []


def test_the_instructors_page_names_every_command_and_every_format():
    assert {command.split()[0] for command in commands(INSTRUCTORS, "python -m grader ")} >= set(COMMANDS)
    formats = re.search(r"The formats are (.*?)\. ", INSTRUCTORS, re.DOTALL)[1]
    assert sorted(re.findall(r"`([\w-]+)`", formats)) == sorted(FORMATS)


@each_page
def test_every_module_and_every_file_is_there(page):
    modules = [command.split()[0] for command in commands(TEXT[page], "python -m ")]
    assert [name for name in modules if not importlib.util.find_spec(name)] == []
    path = re.compile(r"(?:assignment|configs|docs|grader|reference|tests)/[\w./-]*|[A-Z]+\.md|main\.py")
    files = [piece for piece in code(TEXT[page]) if path.fullmatch(piece)]
    assert [name for name in files if not (ROOT / name).exists()] == []


@each_page
def test_every_command_and_key_of_main_parses(page):
    for command in commands(TEXT[page], "python main.py "):
        if "X.yaml" not in command:
            main.parse(shlex.split(command))
    for key in (word for piece in code(TEXT[page]) for word in piece.split()):
        if re.fullmatch(r"(?:data|model|diffusion|training|sampling|runtime)\.\w+=[^…]+", key):
            main.parse(["--config", "configs/digits.yaml", key])


def test_pages_show_commands_and_keys():
    """So that the tests above have something to look at."""
    assert len(commands(ALL, "python -m grader ")) >= 20 and len(commands(ALL, "python main.py ")) >= 4
    assert len(re.findall(r"^\| `(?:data|training|sampling|runtime)\.\w+=", STUDENTS, re.MULTILINE)) >= 9


def test_the_time_that_a_network_may_take_is_the_one_that_it_gets():
    said = re.findall(r"(\d+) times\s+(?:what\s+)?the\s+reference", ALL)
    assert len(said) >= 4 and set(said) == {str(FACTOR)}


def test_the_points_without_a_training_are_those_that_it_says():
    points = load_grading().points
    untrained = sum(value for name, value in points.items() if not needs_training(name))
    assert re.search(rf"set\s+the\s+points\s+to\s+{untrained:g}\.", PLATFORMS)
    assert "half of the points" in PLATFORMS and untrained == sum(points.values()) / 2


def test_the_workflows_inputs_are_those_that_it_has():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "grade.yml").read_text())
    inputs = workflow[True]["workflow_call"]["inputs"]  # YAML reads `on` as true
    assert set(re.findall(r"^\| `([\w-]+): ", PLATFORMS, re.MULTILINE)) == set(inputs)


def test_every_message_under_trouble_is_one_that_the_program_has():
    rows = re.search(r"\n## Trouble\n(.*?)\n## ", STUDENTS, re.DOTALL)[1]
    messages = re.findall(r"^\| `([^`]+)`", rows, re.MULTILINE)
    files = [
        *ROOT.glob("grader/**/*.py"),
        *ROOT.glob("assignment/**/*.py"),
        ROOT / "Makefile",
        *ROOT.glob("grader/*.awk"),
    ]
    source = "\n".join(file.read_text() for file in files)
    assert len(messages) >= 10
    for message in messages:
        longest = max(re.split(r"…|\d+|: ", message), key=len).strip()
        assert longest in source, message


def test_every_question_leads_to_a_check_that_catches_that_mistake():
    rows = re.search(r"\n## Questions\n(.*?)\n## ", STUDENTS, re.DOTALL)[1]
    asked = re.findall(r"\| `([\w.]+)` \|$", rows, re.MULTILINE)
    caught = {entry.caught_by.split(".", 1)[1] for entry in entries() if not entry.right}
    assert len(asked) >= 20 and len(asked) == len(re.findall(r"^\| (?!what you see|---)", rows, re.MULTILINE))
    assert set(asked) <= caught


def test_every_table_is_shown_and_evidence_has_all_that_were_measured():
    makers = {make.__name__ for make in MAKERS}
    shown = set(re.findall(r"<!-- (\w+) -->", ALL)) - {"instructors", "rules"}
    assert shown == makers
    # students.md has these
    assert makers - set(re.findall(r"<!-- (\w+) -->", EVIDENCE)) == {
        "reference",
        "runs",
        "wanted",
        "ladder",
        "guidance",
    }


@each_page
def test_figures_in_prose_are_those_of_the_result_files(page):
    assert fill(TEXT[page]) == TEXT[page]
