"""Levels 5 and 6 are optional: whoever has not begun one meets nothing of it, and a course may ask everybody for it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grader.__main__ import main
from grader.check_ids import config_file
from grader.classroom import command as class_command
from grader.grade import grade
from grader.grading_config import GRADING, load_grading
from grader.grading_options import REQUIRED, GradingOptions
from grader.platforms.time_limited import usual_levels
from grader.submission.sources import begun_levels, is_starter
from tests.conftest import ROOT
from tests.proof.bank import BANK

DIGITS = ROOT / "configs" / "digits.yaml"
STARTER = (ROOT / "assignment" / "sampler.py").read_bytes()
MODEL = (ROOT / "assignment" / "model.py").read_bytes()
GUIDANCE = (BANK / "right" / "guidance" / "paper.py").read_bytes()
LABELS = (BANK / "right" / "labels" / "added_to_t.py").read_bytes()
DDPM = (BANK / "right" / "samplers" / "eps_beta_tilde.py").read_bytes()
DDIM = (BANK / "right" / "ddim" / "paper.py").read_bytes()
RECORDED = ROOT / "reference" / "weights" / "digits_conditional.safetensors"
OF_DDIM = STARTER[STARTER.index(b"class DDIMSampler") :]  # as the starter has it
OLD_STARTER = STARTER[: STARTER.index(b"\n\nclass DDIMSampler")]
NOT_BEGUN = {"the starter": STARTER, "DDPM and no DDIM": DDPM, "DDPM and DDIM's stubs": DDPM + b"\n\n" + OF_DDIM,
             "an older starter": OLD_STARTER, "nothing": b""}  # fmt: skip
BEGUN = {"DDIM alone": DDIM, "both": DDPM + b"\n\n" + DDIM, "DDIM in the starter": OLD_STARTER + b"\n\n" + DDIM,
         "half of it": STARTER.replace(b'raise NotImplementedError("DDIMSampler.p_sample', b'print("', 1)}  # fmt: skip


@pytest.fixture
def with_points(monkeypatch, tmp_path):
    file = tmp_path / "grading.yaml"
    file.write_text(GRADING.read_text().replace("level5.step.mean: 0.0", "level5.step.mean: 2.0"))
    monkeypatch.setattr("grader.grading_config.GRADING", file)


def handed_in(folder: Path, sampler: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "sampler.py").write_bytes(sampler)
    return folder


@pytest.mark.parametrize("source", NOT_BEGUN.values(), ids=NOT_BEGUN)
def test_stubs_or_nothing_is_not_begun(source):
    assert begun_levels({"sampler.py": source, "model.py": MODEL}) == ()


@pytest.mark.parametrize("source", BEGUN.values(), ids=BEGUN)
def test_whatever_has_been_written_is_begun(source):
    assert begun_levels({"sampler.py": source}) == (5,) and not is_starter(source)


BEGUN_6 = {
    "guided_eps": {"sampler.py": GUIDANCE}, "a network with labels": {"model.py": LABELS, "sampler.py": STARTER},
    "guided_eps in the starter": {"sampler.py": STARTER.replace(b'raise NotImplementedError("guided_eps', b'print("')},
    "under another name": {"model.py": b'K = getattr(config, "num_classes")'},
    "a class": {"sampler.py": (BANK / "right" / "guidance" / "as_a_module.py").read_bytes()},
}  # fmt: skip
NOT_BEGUN_6 = {
    "the starter": {"model.py": MODEL, "sampler.py": STARTER}, "DDIM": {"sampler.py": DDIM}, "nothing": {},
    "a comment": {"model.py": b"x = 1  # config.num_classes is for level 6\n"},
    "its own num_classes": {"model.py": b"def f(num_classes):\n    self.num_classes = num_classes\n"},
}  # fmt: skip


@pytest.mark.parametrize("sources", BEGUN_6.values(), ids=BEGUN_6)
def test_level_6_is_begun_in_either_file(sources):
    assert begun_levels(sources) == (6,)


@pytest.mark.parametrize("sources", NOT_BEGUN_6.values(), ids=NOT_BEGUN_6)
def test_level_6_is_not_begun_by_words(sources):
    assert 6 not in begun_levels(sources)


def test_its_stubs_are_counted_apart():
    assert is_starter(STARTER) and is_starter(OLD_STARTER)
    assert is_starter((ROOT / "assignment" / "model.py").read_bytes())
    assert not is_starter(NOT_BEGUN["DDPM and DDIM's stubs"])
    one_written = STARTER.replace(b'raise NotImplementedError("DDPMSampler.p_sample', b'print("', 1)
    assert not is_starter(one_written)


class Stopped(Exception):
    pass


def graded(tmp_path: Path, sampler: bytes, *words: str) -> tuple[int, ...]:
    """The levels that `python -m grader` judges, without judging."""
    return asked(handed_in(tmp_path / "work", sampler), tmp_path, *words)[0]


def asked(submission: Path, tmp_path: Path, *words: str) -> tuple[tuple[int, ...], list[str], Path]:
    """The levels, the options, and the folder that are judged."""

    def stop(submission, *, levels: tuple[int, ...], options: list[str], **more):
        raise Stopped(tuple(levels), options, submission)

    patch = pytest.MonkeyPatch()
    patch.setattr("grader.grade.grade", stop)
    try:
        with pytest.raises(Stopped) as stopped:
            main([str(submission), "--config", str(DIGITS), "--output", str(tmp_path / "out"), *words])
    finally:
        patch.undo()
    return stopped.value.args


def test_a_grading_has_it_only_where_it_is_begun_or_asked_for(tmp_path):
    assert graded(tmp_path, NOT_BEGUN["DDPM and DDIM's stubs"]) == REQUIRED == (1, 2, 3, 4)
    assert graded(tmp_path, BEGUN["both"]) == (1, 2, 3, 4, 5)
    assert graded(tmp_path, DDPM + b"\n\n" + GUIDANCE) == (1, 2, 3, 4, 6)
    assert graded(tmp_path, BEGUN["both"], "--level", "4") == (4,)
    assert graded(tmp_path, DDPM, "--level", "5") == (5,)
    assert graded(tmp_path, DDPM, "--check", "level5.step.mean") == (5,)
    weights = tmp_path / "weights.safetensors"
    weights.touch()
    for level in (5, 6):  # which look at weights, too
        assert graded(tmp_path, DDPM, "--level", str(level), "--weights", str(weights)) == (level,)


def test_weights_stay_those_of_their_configuration_when_a_level_joins_in(tmp_path):
    weights = tmp_path / "weights.safetensors"
    weights.touch()
    work = handed_in(tmp_path / "work", DDPM + b"\n\n" + GUIDANCE)
    levels, options, _ = asked(work, tmp_path, "--weights", str(weights))
    assert levels == (1, 2, 3, 4, 6) and f"--weights=digits={weights}" in options


def test_a_hand_in_brings_the_weights_of_what_is_begun(tmp_path):
    with zipfile.ZipFile(tmp_path / "work.zip", "w") as archive:
        archive.writestr("sampler.py", GUIDANCE)
        archive.write(RECORDED, "weights/digits_conditional.safetensors")
    levels, _, folder = asked(tmp_path / "work.zip", tmp_path)
    assert 6 in levels and (folder / "weights" / "digits_conditional.safetensors").is_file()


def test_a_grading_has_it_for_all_where_it_gives_points(with_points, tmp_path):
    assert graded(tmp_path, DDPM) == (1, 2, 3, 4, 5)
    assert usual_levels() == (1, 4, 5)


def test_a_class_has_it_for_nobody_or_for_everybody(monkeypatch, tmp_path):
    assert usual_levels() == (1, 4)
    for name, source in BEGUN.items():
        handed_in(tmp_path / name.replace(" ", "_"), source)
    asked = []
    monkeypatch.setattr(class_command.preview, "show", lambda args, options, works, checks, resources: asked.append(
        ({check.split(".")[0] for check in checks}, options.words())) or 0)  # fmt: skip
    main(["class", str(tmp_path), "--output", str(tmp_path / "out"), "--dry-run", "--sandbox", "none"])
    ((levels, words),) = asked
    assert levels == {"level1", "level2", "level3", "level4"} and "5" not in words


def test_own_points_need_not_list_it(tmp_path):
    file = tmp_path / "grading.yaml"
    lines = GRADING.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith(("  level5.", "  level6."))))
    assert load_grading(file).points == load_grading().points
    assert load_grading().optional_levels == () and GradingOptions().levels == REQUIRED


def verdicts(tmp_path: Path, sampler: bytes, levels: tuple[int, ...], only: str = "level") -> dict[str, str]:
    results = grade(
        handed_in(tmp_path / "work", sampler), levels=levels, config=DIGITS, seed=1, quiet=True,
        only=lambda check: only in check,
    )  # fmt: skip
    return {check.id: check.verdict for check in results.checks}


@pytest.mark.parametrize("level", [5, 6])
def test_whoever_has_not_begun_it_fails_nothing_of_it(tmp_path, level):
    found = verdicts(tmp_path, NOT_BEGUN["DDPM and DDIM's stubs"], (level,))
    assert len(found) > 20 and set(found.values()) == {"not_judged"}


def test_level_4_is_the_same_with_ddim_in_any_state(tmp_path):
    """Nothing of what is asked depends on it: the same seed, the same verdicts."""
    wrong = (BANK / "wrong" / "samplers" / "no_noise_at_1.py").read_bytes()
    alone, with_it = (verdicts(tmp_path, source, (4,), "level4.step") for source in (wrong, wrong + b"\n\n" + DDIM))
    assert alone == with_it and "failed" in alone.values() and len(alone) == 6


def test_half_of_it_says_what_is_left(tmp_path):
    half = DDPM + b"\n\n" + OF_DDIM.replace(b'raise NotImplementedError("DDIMSampler.p_sample', b'print("', 1)
    results = grade(
        handed_in(tmp_path / "work", half), levels=(5,), config=DIGITS, quiet=True, only="level5.contract.shapes".__eq__
    )
    (check,) = results.checks
    assert check.verdict not in ("passed", "not_judged")


def test_half_of_level_6_says_what_is_left(tmp_path):
    """guided_eps alone: its own checks pass, those of the network say that model.py is missing, or lacks labels."""
    found = verdicts(tmp_path, GUIDANCE, (6,), "guidance.affine") | verdicts(
        tmp_path, GUIDANCE, (6,), "6.contract.builds"
    )
    assert found == {"level6.guidance.affine": "passed", "level6.contract.builds": "failed"}


def test_a_configuration_with_labels_lies_beside_the_one_given(tmp_path):
    assert config_file(6, DIGITS) == DIGITS.with_name("digits_conditional.yaml") and config_file(1, DIGITS) == DIGITS
    other = tmp_path / "own.yaml"
    assert config_file(6, other) == other and config_file(6, config_file(6, DIGITS)) == config_file(6, DIGITS)
    assert config_file(6, None).name == "digits_conditional.yaml" and config_file(6, None).is_file()


def test_weights_of_optional_levels_are_taken_and_only_level_6_is_trained_for():
    assert list(GradingOptions(levels=(5,)).trained_configs()) == ["fashion_mnist"]
    assert GradingOptions(levels=(5,)).configs_to_train() == {}
    assert list(GradingOptions(levels=(1, 6), config=DIGITS).configs_to_train()) == ["digits", "digits_conditional"]
    assert GradingOptions(levels=(4,)).trained_configs() == {}


def test_pytest_leaves_it_out_like_the_command(tmp_path):
    listed = {}
    for name, source, words in (("stubs", STARTER, ()), ("asked", STARTER, ("-m", "level5")), ("begun", DDIM, ())):
        submission = handed_in(tmp_path / name, source)
        command = [sys.executable, "-m", "pytest", "grader", "--collect-only", "-q", f"--submission={submission}"]
        ran = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True)
        listed[name] = "test_level5.py" in ran.stdout
    assert listed == {"stubs": False, "asked": True, "begun": True}
