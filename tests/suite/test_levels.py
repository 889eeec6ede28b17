"""Levels 1 to 4 end to end on the digits: real trainings, and generators that have learnt nothing."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

from assignment.ddpm.checkpoint import WEIGHTS
from grader.__main__ import main
from grader.check_ids import check_ids
from grader.grading_options import REQUIRED
from grader.results import Results, level_of
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.proof.trained import DIGITS, KINDS, LONG, judge, make
from tests.support.everything import left_to

TRAINED = (*LONG, "sampling.num_images=1", "runtime.device=cpu")


def passed(results: Results, level: int) -> bool:
    return all(check.verdict == "passed" for check in results.checks if check.level == level)


def verdicts(results: Results) -> dict[str, str]:
    return {check.id: check.verdict for check in results.checks}


@pytest.fixture(scope="module")
def student(tmp_path_factory) -> Path:
    """A folder as handed in by a student: a U-Net and a sampler."""
    folder = tmp_path_factory.mktemp("student")
    shutil.copy(BANK / "trained" / "unet.py", folder / "model.py")
    shutil.copy(BANK / "right" / "samplers" / "eps_beta_tilde.py", folder / "sampler.py")
    return folder


@pytest.fixture(scope="module")
def graded(student, tmp_path_factory) -> tuple[Path, dict]:
    """`python -m grader SUBMISSION --train`: the contract, the training, all four levels."""
    output = tmp_path_factory.mktemp("graded")
    command = [sys.executable, "-m", "grader", student, "--train", "--config", DIGITS, "--output", output, *TRAINED]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return output, json.loads((output / "results.json").read_text())


@left_to("test-ci")
def test_a_student_who_beats_the_reference_gets_full_marks(graded):
    output, results = graded
    assert [c for c in results["checks"] if c["verdict"] != "passed"] == []
    assert results["score"] == results["max_score"] == 40
    assert [c["id"] for c in results["checks"]] == [
        i for i in check_ids() if level_of(i) in REQUIRED
    ]  # of two gradings
    (training,) = results["trainings"]
    assert training["state"] == "finished" and training["epochs"] == training["of"] and training["minutes"] > 0
    pictures = {"level1-samples.png", "level2-loss-by-t.png", "level3-samples.png", "training-digits.png"}
    assert pictures <= {file.name for file in output.iterdir()}


@left_to("test-ci")
def test_the_comparison_is_sharp(graded):
    measured = {c["id"]: c["measurements"] for c in graded[1]["checks"]}["level2.loss.beats_reference"]
    assert measured["relative_difference"] < 0
    assert measured["standard_error"] <= 0.0025  # of the loss


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Judgements of submissions that need little or no training."""
    folder, done = tmp_path_factory.mktemp("stored"), {}

    def judged(name: str) -> Results:
        if name not in done:
            weights = make(KINDS[name], folder / name, seed=3)
            done[name] = judge(weights, folder / name / "figures", seed=0)
        return done[name]

    return judged


@pytest.mark.parametrize("name", ["undertrained", "replay", "one_class_blurred", "noise"])
def test_what_must_not_pass_does_not(stored, name):
    results = stored(name)
    assert not any(passed(results, level) for level in (1, 2, 3)), verdicts(results)
    assert verdicts(results)["level1.trained.weights"] == "passed"  # judged, not just rejected
    for check in results.checks:
        assert check.verdict == "passed" or check.message


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("undertrained", "level1.samples.fid"),
        ("undertrained", "level2.loss.beats_reference"),
        ("replay", "level1.samples.new"),
        ("one_class_blurred", "level1.samples.classes"),
        ("noise", "level1.samples.classes"),
        ("undertrained", "level1.samples.clean"),
        ("noise", "level1.samples.fid"),
    ],
)
def test_each_fails_the_claim_that_it_breaks(stored, name, check):
    assert verdicts(stored(name))[check] == "failed"


def test_who_knows_only_the_training_images_does_not_beat_the_reference(stored):
    """The exact denoiser of the training images fails on other images."""
    check = next(c for c in stored("replay").checks if c.id == "level2.loss.beats_reference")
    assert check.verdict == "failed" and check.measurements["relative_difference"] > 0.05


# ---- weights: missing, stale, of another kind


@pytest.fixture(scope="module")
def untrained(tmp_path_factory) -> Path:
    return make(KINDS["undertrained"], tmp_path_factory.mktemp("untrained"), seed=0)


def trained_checks(folder: Path, tmp_path: Path, *arguments: str) -> list[dict]:
    about = ["--config", str(DIGITS), "--output", str(tmp_path / "out"), "runtime.device=cpu", *arguments]
    assert main([str(folder), "--level", "2", *about]) == 0
    return json.loads((tmp_path / "out" / "results.json").read_text())["checks"]


def test_without_weights_nothing_is_judged_and_nobody_is_told_to_train(student, tmp_path):
    for check in trained_checks(student, tmp_path, f"output_dir={tmp_path}"):
        assert (check["verdict"], check["points"]) == ("not_judged", 0)
        assert "no weights of digits were handed in; expected weights/digits.safetensors" in check["message"]
        assert "train" not in check["message"].partition("weights: ")[2]


def test_a_pickle_is_refused_in_one_line(untrained, tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "weights.pt")
    first, *others = trained_checks(untrained.parent.parent / "handed in", tmp_path, f"--weights={tmp_path}/weights.pt")
    assert first["verdict"] == "failed" and "expected weights as safetensors" in first["message"]
    assert all(check["verdict"] == "not_judged" for check in others)


def test_weights_that_do_not_fit_are_an_error_that_says_so(untrained, tmp_path):
    code = hashlib.sha256((untrained.parent.parent / "handed in" / "model.py").read_bytes()).hexdigest()
    safetensors.torch.save_file({"stem.weight": torch.zeros(3)}, tmp_path / WEIGHTS, metadata={"code": code})
    first, *_ = trained_checks(untrained.parent.parent / "handed in", tmp_path, f"--weights={tmp_path / WEIGHTS}")
    assert first["verdict"] == "error" and "state_dict" in first["message"] and first["hint"]


def test_weights_that_make_no_numbers_fail_and_stop_nothing(untrained, tmp_path):
    with safetensors.safe_open(untrained, framework="pt") as opened:
        about = opened.metadata()
    state = {k: v * float("nan") for k, v in safetensors.torch.load_file(untrained).items()}
    safetensors.torch.save_file(state, tmp_path / WEIGHTS, metadata=about)
    checks = trained_checks(untrained.parent.parent / "handed in", tmp_path, f"--weights={tmp_path / WEIGHTS}")
    assert {check["verdict"] for check in checks} == {"failed", "not_judged"}


# ---- the reference itself


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Results:
    """The shipped weights of the reference, graded as a submission."""
    folder = tmp_path_factory.mktemp("reference")
    shutil.copytree(ROOT / "reference", folder / "handed in", ignore=shutil.ignore_patterns("__pycache__"))
    state = safetensors.torch.load_file(ROOT / "reference" / "weights" / "digits.safetensors")
    code = hashlib.sha256((ROOT / "reference" / "model.py").read_bytes()).hexdigest()
    (folder / "run").mkdir()
    state = {k: v.float() for k, v in state.items()}
    safetensors.torch.save_file(state, folder / "run" / WEIGHTS, metadata={"code": code, "epoch": "60"})
    return judge(folder / "run" / WEIGHTS, folder / "figures", seed=0, trusted=True)


def test_the_reference_draws_recognizable_digits(reference):
    assert passed(reference, 1) and passed(reference, 3), verdicts(reference)


def test_the_reference_does_not_beat_itself(reference):
    check = next(c for c in reference.checks if c.id == "level2.loss.beats_reference")
    assert check.verdict == "failed" and abs(check.measurements["relative_difference"]) < 1e-4
    assert verdicts(reference)["level2.loss.generalises"] == "not_judged"  # no lead, so no points for it


# ---- training before grading


def test_a_broken_contract_is_not_trained(tmp_path, capfd):
    shutil.copy(BANK / "wrong" / "networks" / "returns_tuple.py", tmp_path / "model.py")
    about = ["--config", str(DIGITS), "--output", str(tmp_path / "out"), "runtime.device=cpu"]
    assert main([str(tmp_path), "--train", "--level", "1", *about]) == 0
    out = capfd.readouterr().out
    assert "not trained, as level1.contract.shapes is not kept" in out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [(of["config"], of["state"]) for of in results["trainings"]] == [("digits", "not trained")]
    assert not (tmp_path / "out" / "trainings").exists()


@pytest.mark.parametrize("fault", ["assert len(x) < 20", "if len(x) > 20: raise SystemExit(130)"])
def test_a_training_that_fails_is_said_and_the_rest_is_graded(fault, tmp_path, capfd):
    source = (BANK / "trained" / "unet.py").read_text()
    line = "        h, skips = self.stem(x), []\n"
    broken = source.replace(line, f"{line}        {fault}\n")
    assert broken != source
    (tmp_path / "model.py").write_text(broken)
    about = ["--config", str(DIGITS), "--output", str(tmp_path / "out"), "runtime.device=cpu", "training.epochs=1"]
    assert main([str(tmp_path), "--train", "--level", "2", *about]) == 0
    assert "the training failed" in capfd.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {check["verdict"] for check in results["checks"]} == {"not_judged"}
    assert results["trainings"][0]["state"] == "failed"


def test_a_training_that_is_cut_off_is_judged_as_far_as_it_got(student, tmp_path):
    about = ["--config", str(DIGITS), "--output", str(tmp_path), "runtime.device=cpu", "training.epochs=5000"]
    assert main([str(student), "--train", "--level", "2", "--minutes", "0.1", *about, "sampling.num_images=1"]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    (training,) = results["trainings"]
    assert training["state"] == "cut off" and 0 < training["epochs"] < training["of"] == 5000
    assert {c["id"]: c["verdict"] for c in results["checks"]}["level2.trained.weights"] == "passed"


def test_ctrl_c_while_training_leaves_a_checkpoint_and_no_process(student, tmp_path):
    command = [sys.executable, "-m", "grader", student, "--train", "--level", "2", "--config", DIGITS]
    about = ["--output", tmp_path, "runtime.device=cpu", "training.epochs=5000"]
    with subprocess.Popen(
        [*command, *about], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as judge:
        try:
            deadline = time.monotonic() + 120
            while not list(tmp_path.glob("trainings/*/digits-student/log.csv")) and time.monotonic() < deadline:
                time.sleep(0.1)
            judge.send_signal(signal.SIGINT)  # to the judge only: it has to pass it on
            _, err = judge.communicate(timeout=60)
        finally:
            judge.kill()  # and with it its training: nothing is left to slow down other tests
    assert judge.returncode == 130 and "interrupted; no results were written" in err
    assert list(tmp_path.glob("trainings/*/digits-student/checkpoint.pt"))
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed
