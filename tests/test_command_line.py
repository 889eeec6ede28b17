"""main.py as students see it: exit codes, one-line errors, and nothing written if nothing could be done."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

import grader.__main__
import main
from assignment.ddpm.errors import UserError
from assignment.ddpm.screen import say
from reference.sampler import DDPMSampler
from tests.conftest import ROOT, Tree
from tests.support.networks import DiffusionModel, Labelled


def call(capsys, *argv: str) -> tuple[int, str]:
    code = main.main(list(argv))
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "--config is missing: expected one of configs/cifar10.yaml, configs/digits.yaml"),
        (["--config"], "argument --config: expected one argument"),
        (["--config", "configs/digts.yaml"], "did you mean configs/digits.yaml?"),
        (["--config", "configs/digits.yaml", "--solutions"], "--solutions: unknown flag; did you mean --solution?"),
        (["--config", "configs/digits.yaml", "--sol"], "--sol: unknown flag; did you mean --solution?"),
        (["--config", "configs/digits.yaml", "-e"], "-e: unknown flag"),
        (["--config", "configs/digits.yaml", "fast"], "fast: expected key.path=value"),
        (["--config", "configs/digits.yaml", "training.epoch=3"], "did you mean training.epochs?"),
        (["--config", "configs/digits.yaml", "training.epochs=few"], "training.epochs: Value 'few'"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_2(argv, message, capsys):
    code, err = call(capsys, *argv)
    assert code == 2 and err.startswith("error: ") and message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "near"),
    [
        (["class", "x", "--executer", "slurm"], "--executor"),
        (["class", "x", "--retain=5%"], "--retrain"),
        (["export", "x", "--format", "moodel"], "moodle"),
        (["handout", "x", "--hepl"], "--help"),
        (["class", "x", "--qqq"], ""),
    ],
)
def test_a_mistyped_option_of_the_grader_is_told_the_nearest(argv, near, capsys):
    assert grader.__main__.main(argv) == 2
    err = capsys.readouterr().err
    assert err.endswith(f"; did you mean {near}?\n") if near else "did you mean" not in err


def test_flags_and_overrides_may_come_in_any_order():
    argv = ["data.limit=9", "--solution", "--config", "configs/cifar10.yaml", "training.epochs=2", "--custom-sampler"]
    args, config = main.parse(argv)
    assert args.solution and args.custom_sampler
    assert (config.data.name, config.data.limit, config.training.epochs) == ("cifar10", 9, 2)


def test_the_documented_runs_parse():
    for line in (
        "training.epochs=100 data.batch_size=256",
        "training.epochs=200 data.batch_size=512 training.learning_rate=2e-3",
    ):
        for config in ("fashion_mnist", "cifar10"):
            main.parse(["--config", f"configs/{config}.yaml", "--solution", *line.split()])


def test_a_wrong_call_is_answered_before_torch_is_loaded():
    code = "import sys, main; main.main(['--config', 'x.yaml']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL).returncode == 0


def test_a_device_that_is_not_there(tree):
    code, _, err = tree.run("runtime.device=cuda:99")
    assert code == 2 and err.startswith("error: runtime.device=cuda:99: not on this machine, which has ")
    assert not (tree.path / "outputs").exists()


@pytest.mark.parametrize(("flag", "file"), [((), "model.py"), (("--custom-sampler",), "sampler.py")])
def test_a_stub_is_named_by_file_and_line(tree, flag, file):
    stub = (ROOT / "assignment" / file).read_text()
    (tree.path / "assignment" / file).write_text(stub)
    code, _, err = tree.run(*flag)
    raises = [
        f"assignment/{file}:{i}" for i, line in enumerate(stub.splitlines(), 1) if "raise NotImplementedError" in line
    ]
    assert code == 1 and err.count("\n") == 1
    assert err.startswith(tuple(f"error: {place}: not implemented yet: " for place in raises))
    assert not (tree.path / "outputs").exists()


def test_a_student_error_ends_in_the_students_own_line(tree):
    model = tree.path / "assignment" / "model.py"
    model.write_text(model.read_text().replace("return self.last(", "return self.lost("))
    code, _, err = tree.run()
    assert code == 1 and "Traceback" in err
    assert "assignment/model.py" in err and "return self.lost(" in err and "has no attribute 'lost'" in err
    assert not (tree.path / "outputs").exists()


def test_a_whole_run_of_a_students_network_and_sampler(tree):
    """Run in a folder with spaces in its name, writing to another one, with warnings as errors (see Tree)."""
    (tree.path / "assignment" / "sampler.py").write_text((ROOT / "reference" / "sampler.py").read_text())
    code, out, err = tree.run("--custom-sampler", "training.epochs=2", "output_dir=my outputs")
    assert code == 0, err
    assert "device: cpu (" in out or "device: cuda" in out or "device: mps" in out
    assert "settings: data.name=digits" in out and "training.epochs=2" in out  # what is not the default
    assert (tree.path / "my outputs" / "samples.png").exists()
    assert (tree.path / "my outputs" / "digits-student" / "weights.safetensors").exists()


def test_few_steps_with_either_ddim_sampler(tree):
    (tree.path / "assignment" / "sampler.py").write_text((ROOT / "reference" / "sampler.py").read_text())
    few = ("--sampler", "ddim", "sampling.steps=7", "sampling.num_images=2")
    code, out, err = tree.run(*few, "--custom-sampler", "training.epochs=1")
    assert code == 0, err
    assert "sampling.steps=7" in " ".join(out.split()) and "14.0/14.0" in err  # of two images, in seven steps each
    code, _, err = tree.run(*few, "training.resume=true", "training.max_minutes=0")
    assert code == 0, err
    (tree.path / "assignment" / "sampler.py").write_text("class DDPMSampler: ...")
    code, _, err = tree.run(*few, "--custom-sampler")
    assert (code, err) == (1, "error: assignment/sampler.py: expected a class DDIMSampler\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--sampler", "ddim", "sampling.steps=1001"),
            "sampling.steps=1001: expected at most model.num_timesteps=1000",
        ),
        (("--sampler", "ddim", "sampling.steps=1"), "sampling.steps=1: expected at least 2"),
        (("--sampler", "ddim", "sampling.eta=1.5"), "sampling.eta=1.5: expected a number from 0 to 1"),
        (("--sampler", "dddim"), "did you mean ddim?"),
        (("--sampled", "ddim"), "did you mean --sampler?"),
    ],
)
def test_a_wrong_call_of_ddim(words, says):
    with pytest.raises(UserError, match=re.escape(says)):
        main.parse(["--config", str(ROOT / "configs" / "fashion_mnist.yaml"), *words])


def test_the_reference_trains_by_the_same_command(tree):
    code, out, err = tree.run("--solution", "training.epochs=1")
    assert code == 0, err
    assert "from reference.model" in out and (tree.path / "outputs/digits-solution/weights.safetensors").exists()


def test_who_has_typed_nothing_gets_an_example(capsys):
    assert grader.__main__.main([]) == 2
    assert "-m grader assignment; see also --help" in capsys.readouterr().err


def test_help_names_the_configurations(capsys):
    with pytest.raises(SystemExit):
        main.parse(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "configs/digits.yaml, configs/digits_conditional.yaml, configs/fashion_mnist.yaml" in said


def test_lines_are_as_wide_as_the_terminal_and_whole_in_a_file(monkeypatch, capsys):
    text = "  " + "word " * 40 + "path/to/something-with-a-dash"
    monkeypatch.setenv("COLUMNS", "60")
    say(text)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60 and " ".join(lines).split() == text.split()
    assert lines[0].startswith("  word") and all(line.startswith("    ") for line in lines[1:])
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(shutil, "get_terminal_size", lambda fallback: os.terminal_size(fallback))
    say(text)
    assert capsys.readouterr().out == text + "\n"


# ---- networks with labels (level 6)


CONDITIONAL = ["--config", "configs/digits_conditional.yaml", *Tree.QUICK, "training.epochs=1"]


@pytest.fixture
def conditional(monkeypatch, tmp_path, capsys):
    """main.py with the network with labels that is given, in this process."""

    def run(network: type, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "network_class", lambda **_: network)
        code = main.main([*CONDITIONAL, f"output_dir={tmp_path}", *words])
        return code, *capsys.readouterr()

    return run


def test_samples_have_a_row_for_each_class(conditional, tmp_path):
    code, out, err = conditional(Labelled, "--sampler", "ddim", "sampling.steps=3", "sampling.num_images=20")
    assert code == 0, err
    assert "samples: 2 of each of 10 classes, guidance w = 1.5\n" in out and "60.0/60.0" in err  # three steps of twenty
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.height > 10 * 64 and 2 * 64 < picture.width < 3 * 64


def test_a_network_without_labels_is_told_so_in_one_line(conditional, tmp_path):
    code, _, err = conditional(DiffusionModel)
    assert code == 1 and err.count("\n") == 1 and "expected forward(x, t, y=None), with labels y (B,)" in err
    assert list(tmp_path.iterdir()) == []


def test_guidance_that_is_a_stub_or_missing_is_named(conditional, monkeypatch, tmp_path):
    monkeypatch.setattr(main, "sampler_class", lambda **_: DDPMSampler)
    lines = (ROOT / "assignment" / "sampler.py").read_text().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if 'NotImplementedError("guided_eps' in line)
    code, _, err = conditional(Labelled, "--custom-sampler")
    where = f"assignment/sampler.py:{number}"
    assert (code, err) == (1, f"error: {where}: not implemented yet: guided_eps: Eq. 6, about 4 lines\n")
    monkeypatch.delattr("assignment.sampler.guided_eps")
    code, _, err = conditional(Labelled, "--custom-sampler")
    assert (code, err) == (1, "error: assignment/sampler.py: expected a function guided_eps\n")
    assert list(tmp_path.iterdir()) == []
