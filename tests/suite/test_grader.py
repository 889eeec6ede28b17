"""The grader's interfaces: command line, results.json, pytest; and rubric and points agree."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assignment.ddpm import invocation
from assignment.ddpm.errors import UserError
from grader import __version__
from grader.__main__ import COMMANDS, main
from grader.check_ids import needs_training
from grader.grade import grade
from grader.grade_command import submitted
from grader.grading_config import GRADING, load_grading
from grader.grading_options import LEVELS, REQUIRED
from grader.reports.terminal import render
from grader.results import level_of
from tests.conftest import ROOT
from tests.proof.bank import BANK, entries
from tests.support.hand_ins import BOTH, M, lay_out

DIGITS = ROOT / "configs" / "digits.yaml"


@pytest.fixture(scope="module")
def right(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("right")
    shutil.copy(BANK / "right" / "networks" / "residual_convnet.py", folder / "model.py")
    shutil.copy(BANK / "right" / "samplers" / "eps_beta_tilde.py", folder / "sampler.py")
    return folder


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", *(str(a) for a in arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | environment, timeout=240)


def test_a_right_submission_gets_full_marks_and_a_whole_results_file(right, tmp_path, capsys):
    about = ["--config", str(DIGITS), "--output", str(tmp_path), "runtime.device=cpu", f"output_dir={tmp_path}"]
    assert main([str(right), "--level", "1", "--level", "4", *about]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["schema"] == "no-confusion-diffusion/results/v1"
    assert set(results["submission"]["sha256"]) == {"model.py", "sampler.py"}
    assert results["environment"]["grader"] == __version__ and results["environment"]["device"] == "cpu"
    untrained = [check for check in results["checks"] if check["verdict"] != "passed"]
    assert {check["verdict"] for check in untrained} == {"not_judged"} and len(untrained) == 9
    assert all("no weights of digits were handed in" in check["message"] for check in untrained)
    assert results["weights"]["digits"]["from"] == "none"
    assert results["score"] == 20 and results["max_score"] == 24
    measured = {check["id"]: check["measurements"] for check in results["checks"]}
    margins = {name: values["margin"] for name, values in measured.items() if "margin" in values}
    assert len(margins) >= 17 and all(0 < margin <= 1 for margin in margins.values()), margins
    assert all("margin" in values or values["limit"] == 0 for values in measured.values() if "limit" in values)
    assert [check["id"] for check in results["checks"]] != [] and all(check["claim"] for check in results["checks"])
    assert "20 of 24 points" in capsys.readouterr().out


def test_the_readme_shows_what_a_student_sees(tmp_path):
    shutil.copy(BANK / "wrong" / "networks" / "time_left_out.py", tmp_path / "model.py")
    results = grade(tmp_path, levels=[1], config=DIGITS, quiet=True, only=lambda check: "depends_on_t" in check)
    shown = re.search(r"```\n(✗.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    page = render(results, 110)
    assert [line for line in shown.splitlines() if line not in page.splitlines() and line != "…"] == []


def test_every_claim_of_the_rubric_has_points_and_the_other_way_round():
    source = "".join((ROOT / "grader" / f"test_level{level}.py").read_text() for level in LEVELS)
    assert sorted(re.findall(r'@check\("(.+?)"\)', source)) == sorted(load_grading().points)


WRONG_POINTS = {
    (
        "level4.step.mean:",
        "level4.step.men:",
    ): "level4.step.men: there is no such check; did you mean level4.step.mean?",
    ("  level4.step.mean: 1.25\n", ""): "level4.step.mean: missing; expected a number, which may be 0",
    ("level4.step.mean: 1.25", "level4.step.mean: -1"): "level4.step.mean: expected at least 0",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("mib: 96", "mib: 0"), "weights.mib: expected more than 0, got 0"),
        (("mib: 96", "mib: lots"), "weights.mib: expected a number, got 'lots'"),
        (("judge}", "jugde}"), "weights.changed_code: expected judge or refuse, got jugde"),
        (("mib: 96, ", ""), "weights.mib: missing"),
        (("\nbands:", "\nband:"), "band: there is no such key; did you mean bands?"),
        (("\npoints:", "\nextra: {}\npoints:"), "extra: there is no such key; did you mean"),
        (("\ntime:", "\ntiem:"), "tiem: there is no such key; did you mean time?"),
        (
            ("above_real: 14", "above_rael: 14"),
            "fashion_mnist.above_rael: there is no such key; did you mean above_real?",
        ),
        (("above_real: 14", "above_real: x"), "samples.fashion_mnist.above_real: expected a number, got 'x'"),
        (("level1.own_work: 0.25", "level1.own_work: x"), "points.level1.own_work: expected a number, got 'x'"),
        (
            ("missing_classes: 1", "missing_classes: 10"),
            "cifar10.missing_classes: expected at least 0, and fewer",
        ),
        (("limits: {", "limits: {{"), "grading.yaml: "),
    ],
)
def test_every_mistake_in_the_file_is_named(change, says, tmp_path):
    (tmp_path / "grading.yaml").write_text(GRADING.read_text().replace(*change))
    with pytest.raises(UserError, match=re.escape(says)) as raised:
        load_grading(tmp_path / "grading.yaml")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("change", "says"), WRONG_POINTS.items(), ids=str)
def test_points_are_those_of_the_checks_that_there_are(change, says, tmp_path):
    (tmp_path / "grading.yaml").write_text(GRADING.read_text().replace(*change))
    with pytest.raises(UserError, match=re.escape(f"grading.yaml: points.{says}")):
        load_grading(tmp_path / "grading.yaml")


def test_wrong_points_are_told_in_one_line_by_every_front(right, tmp_path):
    for name in ("grader", "assignment", "reference", "configs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "weights"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    change, says = next(iter(WRONG_POINTS.items()))
    (tmp_path / "configs" / "grading.yaml").write_text(GRADING.read_text().replace(*change))
    for command in (["grader", right], ["grader", "class", right.parent, "--output", tmp_path / "out"], ["pytest"]):
        ran = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode in (2, pytest.ExitCode.USAGE_ERROR)
        assert says in ran.stderr and len(ran.stderr.strip().splitlines()) == 1, ran.stderr


def test_the_starter_fails_every_check_in_one_line():
    results = grade(ROOT / "assignment", levels=REQUIRED, config=DIGITS, quiet=True)
    assert results.score == 0
    assert len(results.checks) == sum(level_of(check) in REQUIRED for check in load_grading().points)
    for check in results.checks:
        assert check.verdict == "failed"
        assert re.match(r"not implemented yet: (model|sampler)\.py:\d+: ", check.message) and "\n" not in check.message
    page = render(results, 110)
    assert len(page.splitlines()) < len(results.checks) + 40
    again = invocation.make("test-level1", "K=contract.builds", "CONFIG=configs/digits.yaml")
    assert page.endswith(f"then run\n  {again}")


def test_a_missing_file_fails_the_checks_of_its_level_and_no_others(right, tmp_path):
    shutil.copy(right / "sampler.py", tmp_path)
    results = grade(tmp_path, levels=[1, 2, 3, 4], config=DIGITS, quiet=True)
    for check in results.checks:
        assert check.verdict == ("failed" if check.level < 4 else "passed"), check
        assert check.level == 4 or "there is no file model.py" in check.message


def test_what_waits_for_the_contract_is_not_judged_and_says_why(tmp_path):
    shutil.copy(BANK / "wrong" / "networks" / "returns_tuple.py", tmp_path / "model.py")
    results = grade(tmp_path, levels=[1], config=DIGITS, quiet=True)
    by_id = {check.id: check for check in results.checks}
    waiting = by_id["level1.timestep.depends_on_t"]
    assert (waiting.verdict, waiting.points) == ("not_judged", 0) and "waits for the contract" in waiting.message
    assert (
        by_id["level1.contract.shapes"].verdict == "failed" and "got tuple" in by_id["level1.contract.shapes"].message
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["README.md"], "expected the folder it lies in"),
        (["assignment", "--level", "7"], "--level 7: expected 1, 2, 3, 4, 5 or 6"),
        (
            ["assignment", "--weights", "README.md"],
            "of which configuration? Expected fashion_mnist=README.md or",
        ),
        (["assignment", "--weights", "digit=README.md"], "digit is not graded here; expected"),
        (["assignment", "--level", "2", "--weights", "w.safetensors"], "--weights w.safetensors: no such file"),
        (["assignment", "--level", "1", "--weights", "grader"], "a folder; expected a file such as grader/weights.s"),
        (["assignment", "--level", "2", "--train", "--weights", "README.md"], "expected one of them"),
        (["assignment", "--level", "one"], "invalid int value"),
        (["assignment", "--config", "configs/digit.yaml"], "did you mean configs/digits.yaml"),
        (["assignment", "data.batchsize=3"], "did you mean data.batch_size"),
        (["assignment", "--config", "configs/fashion_mnist.yaml", "data.root=README.md/data"], "FashionMNIST"),
        ([], "SUBMISSION"),
        (["grade"], "SUBMISSION"),
        (["clas"], "clas: no such command, and no such folder; did you mean class?"),
        (["reprot", "results.json"], "did you mean report?"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main([*arguments, "--output", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert says in err and err.startswith("error: ") and len(err.splitlines()) == 1
    assert not (tmp_path / "results.json").exists()


def test_a_folder_with_the_files_is_graded_as_it_is(tmp_path):
    """Also if it has only one of them, and others below."""
    place = lay_out({"model.py": M, "Model (1).py": b"x", "old": BOTH, "hw.zip": BOTH}, tmp_path / "in")
    assert submitted(place, tmp_path / "out") == place and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "layout", [{"in": {"hw": BOTH}}, {"in.zip": {"hw": BOTH}}, {"in": {"hw.zip": {"Model.py": M}}}]
)
def test_anything_else_is_a_hand_in_of_which_the_files_are_copied(layout, tmp_path, capsys):
    (name,) = layout
    place = lay_out(layout, tmp_path / "class") / name
    folder = submitted(place, tmp_path / "out")
    assert folder == tmp_path / "out" / "submission" and (folder / "model.py").read_bytes() == M
    assert f"{place}: " in capsys.readouterr().out


def test_a_hand_in_without_the_files_is_told_in_one_line(tmp_path, capsys):
    place = lay_out({"a": {"model.py": M}, "b": {"model.py": b"x"}}, tmp_path / "in")
    assert main([str(place), "--config", str(DIGITS), "--output", str(tmp_path / "out")]) == 2
    says = "model.py is there 2 times: a/model.py and b/model.py, which differ; hand in one"
    assert capsys.readouterr().err == f"error: {place}: {says}\n"


def test_help_names_every_command_and_each_has_its_own(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for name in COMMANDS:
        # what it does follows a longer name on the next line, or not, depending on the version of argparse
        assert re.search(rf"^ +{name}\s+[a-z]", said, re.MULTILINE), name
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert stop.value.code == 0 and f"python -m grader {name}" in capsys.readouterr().out.replace(
            "[grade] ", "grade "
        )


def test_a_folder_named_like_a_command_is_graded_by_its_path(right, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(right, tmp_path / "clas")  # not a typing error where there is such a folder
    options = ["--check", "level4.contract.builds", "--config", str(DIGITS), "--output", str(tmp_path / "out")]
    assert main(["clas", *options]) == main(["grade", "clas", *options]) == 0


def test_a_fault_of_ours_is_exit_3_and_leaves_no_results(right, tmp_path, monkeypatch, capsys):
    from grader.checks import conditioning

    monkeypatch.setattr(conditioning, "check_order", lambda *a: 1 / 0)
    arguments = [str(right), "--level", "1", "--config", str(DIGITS), "--output", str(tmp_path)]
    assert main(arguments) == 3
    assert "nothing is said about the submission" in capsys.readouterr().err
    assert not (tmp_path / "results.json").exists()


def test_pytest_fails_where_a_check_fails_and_where_it_was_not_judged(tmp_path):
    shutil.copy(BANK / "wrong" / "networks" / "returns_tuple.py", tmp_path / "model.py")
    about = [f"--submission={tmp_path}", f"--config={DIGITS}"]
    ran = run("pytest", "grader", "-k", "depends_on_t", *about)
    assert ran.returncode == 1 and "not judged" in ran.stdout and "Traceback" not in ran.stdout
    ran = run("pytest", "grader", "-k", "own_work", "-m", "level1", f"--junitxml={tmp_path / 'junit.xml'}", *about)
    assert ran.returncode == 0, ran.stdout
    assert 'tests="1"' in (tmp_path / "junit.xml").read_text()


def test_checks_are_chosen_by_the_parts_of_their_names(right):
    about = [f"--submission={right}", f"--config={DIGITS}"]
    ran = run("pytest", "grader", "-m", "level1", "-k", "timestep or own_work", "--collect-only", "-q", *about)
    assert "4/" in ran.stdout, ran.stdout  # three of the one, and the other


def test_bare_pytest_grades_the_assignment():
    ran = run("pytest", "-k", "shapes")
    assert ran.returncode == 1 and "not implemented yet: model.py" in ran.stdout, ran.stdout


def test_in_process_is_advisory(right):
    ran = run("pytest", "grader", "-k", "shapes", "--in-process", f"--submission={right}", f"--config={DIGITS}")
    assert ran.returncode == 0 and "Advisory only" in ran.stdout, ran.stdout


def test_missing_images_are_not_judged_and_the_rest_is(right):
    overrides = ["--set=data.root=README.md/data", "--set=runtime.device=cpu"]
    ran = run("pytest", "grader", "-k", "overfits or builds", "-m", "level1", f"--submission={right}", *overrides)
    assert ran.returncode == 1 and "there are no images to learn" in ran.stdout, ran.stdout
    assert "✓ contract.builds" in ran.stdout


def test_the_readmes_numbers_of_checks_are_those_of_the_rubric():
    readme, points = (ROOT / "README.md").read_text(), load_grading().points
    for level in LEVELS:
        number = sum(name.startswith(f"level{level}.") for name in points)
        assert re.search(rf"make test-level{level} .*: {number} checks", readme)


def test_the_bank_is_large_and_says_what_it_is():
    found = entries()
    ids = load_grading().points
    count = {(e.right, e.level): sum((o.right, o.level) == (e.right, e.level) for o in found) for e in found}
    assert count[True, 1] >= 12 and count[False, 1] >= 40 and count[True, 4] >= 8 and count[False, 4] >= 30
    for optional in (5, 6):
        assert count[True, optional] >= 6 and count[False, optional] >= 15
    untrained = {i for i in ids if not needs_training(i)}
    assert {e.caught_by for e in found if not e.right} == untrained, "every check has a wrong submission of its name"
    assert len({e.says for e in found}) == len(found)


def test_a_few_quick_checks_do_not_wait_for_libraries_that_they_do_not_need():
    slow = ("torchvision", "matplotlib", "scipy", "sklearn", "torch_fidelity", "diffusers")
    code = f"import sys, grader.test_level1, grader.test_level4; print([m for m in {slow} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"
