"""The handout works from scratch, and lacks what students are to find out."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from assignment.ddpm.checkpoint import WEIGHTS, save_weights
from assignment.ddpm.config import load_config
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.exercise import code_of
from grader.__main__ import main
from grader.bundles import handout as command
from grader.bundles import packing
from grader.bundles.students_reference_sampler import DDPMSampler as Library
from grader.check_ids import needs_training
from reference.sampler import DDPMSampler as Reference
from tests.proof.bank import BANK
from tests.proof.trained import DIGITS, network_class
from tests.support.pages import commands, dead_links, tree_of


@pytest.fixture(scope="module")
def handout(tmp_path_factory) -> Path:
    """Unpacked as by a student."""
    folder = tmp_path_factory.mktemp("handout")
    assert main(["handout", str(folder / "handout.zip")]) == 0
    with zipfile.ZipFile(folder / "handout.zip") as archive:
        archive.extractall(folder)
    return folder


def test_it_holds_what_students_need_and_nothing_of_the_instructors(handout):
    for name in ("assignment/model.py", "assignment/ddpm/diffusion.py", "grader/test_level1.py", "configs/digits.yaml",
                 "reference/model.py", "reference/results/digits.json", "main.py", ".gitignore"):  # fmt: skip
        assert (handout / name).is_file(), name
    for name in (
        "tests",
        "grader/classroom",
        "grader/platforms",
        "grader/bundles",
        "reference/weights",
        "DECISIONS.md",
    ):
        assert not (handout / name).exists(), name
    assert "posterior_variance" not in (handout / "reference" / "sampler.py").read_text()
    for name in command.CUT:
        assert "instructors" not in (handout / name).read_text()


def test_every_verb_and_every_link_of_its_pages_is_there(handout):
    verbs = set(re.findall(r"^([a-z0-9-]+):.*##", (handout / "Makefile").read_text(), re.MULTILINE))
    pages = [str(file.relative_to(handout)) for file in handout.rglob("*.md")]
    assert sorted(pages) == ["README.md", "docs/students.md"]
    named = {command.split()[0] for page in pages for command in commands((handout / page).read_text(), "make ")}
    assert {"demo", "test-level1", "sample"} <= named <= verbs
    assert [link for page in pages for link in dead_links(handout, page)] == []


def test_everything_in_its_tree_is_there(handout):
    named = tree_of((handout / "README.md").read_text())
    assert [path for path in sorted(named) if not (handout / path).exists()] == []
    rooms = {f"grader/{file.parent.name}/" for file in (handout / "grader").glob("*/__init__.py")}
    assert rooms <= named


def test_its_two_commands_work(handout):
    """With this environment instead of a downloaded one, an epoch of two steps, and few samples."""
    config = handout / "configs" / "digits.yaml"
    config.write_text(
        re.sub(r"epochs: \d+", "epochs: 1", config.read_text())
        .replace("data:", "data:\n  limit: 128")
        .replace("num_images: 64", "num_images: 2")
    )
    grading = handout / "configs" / "grading.yaml"
    grading.write_text(grading.read_text().replace("cpu: {images: 256, steps: 50}", "cpu: {images: 40, steps: 25}"))
    (handout / ".venv").mkdir()
    shown = re.findall(r"^(make .*?) *#", (handout / "README.md").read_text(), re.MULTILINE)[:2]
    first, second = (
        subprocess.run([*words.split(), f"PYTHON={sys.executable}", f"UV={shutil.which('true')}"],
                       cwd=handout, capture_output=True, text=True) for words in shown
    )  # fmt: skip
    assert first.returncode == 0, first.stdout + first.stderr
    assert (handout / "outputs" / "samples.png").is_file()
    failed = [c["id"] for c in json.loads((handout / "outputs" / "results.json").read_text())["checks"]
              if c["verdict"] != "passed" and not needs_training(c["id"])]  # fmt: skip
    assert failed == ["level1.own_work", "level4.own_work"]
    assert second.returncode == 2 and "DiffusionModel.__init__: build the layers" in second.stdout


def test_what_make_submit_packs_is_graded_by_the_students_own_copy(handout, tmp_path):
    """Weights that have learnt nothing; contract and all are asked for, as by a student."""
    for file, name in (("trained/silent.py", "model.py"), ("right/samplers/eps_beta_tilde.py", "sampler.py")):
        (tmp_path / "work").mkdir(exist_ok=True)
        shutil.copy(BANK / file, tmp_path / "work" / name)
    network = network_class(tmp_path / "work" / "model.py")
    weights = tmp_path / "outputs" / "digits-student" / WEIGHTS
    save_weights(network(load_config(DIGITS).model), weights, epoch=1.0, val_loss=1.0, **code_of(network))
    grader = [sys.executable, "-m", "grader"]
    config = ["--config", "configs/digits.yaml", "runtime.device=cpu"]
    words = ["submit", tmp_path / "work", "--output", tmp_path / "submission.zip", f"output_dir={tmp_path / 'outputs'}"]
    packed = subprocess.run([*grader, *words, *config], cwd=handout, capture_output=True, text=True)
    assert packed.returncode == 0, packed.stderr
    assert "weights/digits.safetensors: 0.0 MiB in float32, epoch 1, validation loss 1" in packed.stdout
    words = [tmp_path / "submission.zip", "--level", "2", "--output", tmp_path / "graded"]
    done = subprocess.run([*grader, *words, *config], cwd=handout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "graded" / "results.json").read_text())
    assert results["weights"]["digits"]["from"] == "handed in" and results["checks"][0]["verdict"] == "passed"


def test_a_command_that_students_do_not_have_says_so(handout):
    done = subprocess.run([sys.executable, "-m", "grader", "class"], cwd=handout, capture_output=True, text=True)
    assert done.returncode == 2
    assert (
        done.stderr
        == "error: class: only the course's own checkout has this command (No module named 'grader.classroom')\n"
    )


def test_a_solved_starter_is_not_handed_out(monkeypatch, tmp_path, capsys):
    files = command.files
    solved = {"assignment/sampler.py": b"class DDPMSampler:\n    ..."}
    monkeypatch.setattr(command, "files", lambda *names: files(*names) | solved)
    assert main(["handout", str(tmp_path / "handout.zip")]) == 2
    assert capsys.readouterr().err.startswith("error: assignment/sampler.py is not the starter any more")
    assert not list(tmp_path.iterdir())


def test_what_git_does_not_know_is_neither_handed_out_nor_passed_over(monkeypatch, tmp_path):
    monkeypatch.setattr(packing, "ROOT", tmp_path)
    with pytest.raises(UserError, match="is no checkout of git"):
        packing.files("configs")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "secret.yaml").touch()
    with pytest.raises(UserError, match=r"configs/secret\.yaml is not known to git"):
        packing.files("configs")
    (tmp_path / ".gitignore").write_text("secret.yaml")
    assert packing.files("configs") == {}


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "solution.py").touch()
    assert main(["handout", str(tmp_path)]) == 2
    assert "is there already; expected a new or an empty folder" in capsys.readouterr().err


def test_the_librarys_sampler_draws_what_the_reference_draws():
    diffusion = GaussianDiffusion(50, 1e-4, 0.02)
    network = torch.nn.Conv2d(1, 1, 3, padding=1)

    def model(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return network(x) + t.view(-1, 1, 1, 1) / 50

    model.eval = network.eval
    drawn, stepped = [], []
    for kind in (Reference, Library):
        sampler = kind(diffusion, "cpu")
        torch.manual_seed(0)
        drawn.append(sampler.sample(model, (4, 1, 8, 8)))
        stepped.append(sampler.p_sample(model, torch.ones(1, 1, 8, 8), torch.tensor([0])))
    torch.testing.assert_close(*drawn, rtol=0, atol=1e-4)
    torch.testing.assert_close(*stepped, rtol=0, atol=1e-5)
