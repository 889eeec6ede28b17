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
from grader.bundles.students_reference_sampler import DDIMSampler as LibraryDDIM
from grader.bundles.students_reference_sampler import DDPMSampler as Library
from grader.bundles.students_reference_sampler import guided_eps as library_guidance
from grader.check_ids import needs_training
from reference.sampler import DDIMSampler as ReferenceDDIM
from reference.sampler import DDPMSampler as Reference
from reference.sampler import guided_eps as reference_guidance
from tests.proof.bank import BANK
from tests.proof.trained import DIGITS, network_class
from tests.support.everything import left_to
from tests.support.pages import commands, dead_links, tree_of


@pytest.fixture(scope="module")
def handout(tmp_path_factory) -> Path:
    """Unpacked as by a student."""
    folder = tmp_path_factory.mktemp("handout")
    assert main(["handout", str(folder / "handout.zip")]) == 0
    with zipfile.ZipFile(folder / "handout.zip") as archive:
        archive.extractall(folder)
    return folder / command.TOP


def test_it_holds_what_students_need_and_nothing_of_the_instructors(handout):
    for name in ("assignment/model.py", "assignment/ddpm/diffusion.py", "grader/test_level1.py", "configs/digits.yaml",
                 "reference/model.py", "reference/results/digits.json", "main.py", ".gitignore", "notebook.ipynb",
                 "requirements.txt", "Dockerfile", "docs/course.md"):  # fmt: skip
        assert (handout / name).is_file(), name
    for name in (
        "tests",
        "grader/classroom",
        "grader/platforms",
        "grader/bundles",
        "grader/replay.py",
        "grader/reports/gradescope.py",
        "reference/weights",
        "DECISIONS.md",
    ):
        assert not (handout / name).exists(), name
    assert "posterior_variance" not in (handout / "reference" / "sampler.py").read_text()
    for name in command.CUT:
        assert "instructors" not in (handout / name).read_text()


NOT_FOR_STUDENTS = re.compile(
    r"instructor|gradescope|classroom ?50|slurm|replay|roster|canvas|moodle|provisional|not yet measured|\bCI\b"
    r"|class\.(?:csv|html)|grader (?:class|export|handout|estimate)\b",
    re.IGNORECASE,
)


def test_its_pages_and_files_speak_to_students_alone(handout):
    pages = [handout / name for name in (*command.CUT, "notebook.ipynb", "Dockerfile", "requirements.txt", "main.py")]
    pages += [*handout.glob("configs/*.yaml"), *handout.glob("assignment/*.py")]
    said = {page.name: NOT_FOR_STUDENTS.findall(page.read_text()) for page in pages}
    assert {name: found for name, found in said.items() if found} == {}


def test_its_commands_speak_to_students_alone(handout):
    """--help of each, and what they answer to a command that is not there."""
    asked = subprocess.run([sys.executable, "-m", "grader", "--help"], cwd=handout, capture_output=True, text=True)
    commands = re.findall(r"^    (\w+) ", asked.stdout, re.MULTILINE)
    assert commands == ["grade", "submit", "code", "report"]
    helps = [
        subprocess.run([sys.executable, "-m", "grader", name, "--help"], cwd=handout, capture_output=True, text=True)
        for name in commands
    ]
    assert [NOT_FOR_STUDENTS.findall(each.stdout) for each in (asked, *helps)] == [[]] * 5
    near = subprocess.run([sys.executable, "-m", "grader", "clas"], cwd=handout, capture_output=True, text=True)
    assert "class" not in near.stderr.replace("clas:", "")


def test_every_verb_and_every_link_of_its_pages_is_there(handout):
    verbs = set(re.findall(r"^([a-z0-9-]+):.*##", (handout / "Makefile").read_text(), re.MULTILINE))
    pages = [str(file.relative_to(handout)) for file in handout.rglob("*.md")]
    assert sorted(pages) == ["README.md", "docs/course.md", "docs/students.md"]
    named = {command.split()[0] for page in pages for command in commands((handout / page).read_text(), "make ")}
    assert {"demo", "test-level1", "sample"} <= named <= verbs
    assert [link for page in pages for link in dead_links(handout, page)] == []


def test_everything_in_its_tree_is_there(handout):
    named = tree_of((handout / "README.md").read_text())
    assert [path for path in sorted(named) if not (handout / path).exists()] == []
    rooms = {f"grader/{file.parent.name}/" for file in (handout / "grader").glob("*/__init__.py")}
    assert rooms <= named


@left_to("test-ci")
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
    graded, demo = (
        subprocess.run([*words.split(), f"PYTHON={sys.executable}", f"UV={shutil.which('true')}"],
                       cwd=handout, capture_output=True, text=True) for words in shown
    )  # fmt: skip
    assert graded.returncode == 0 and "DiffusionModel.__init__: build the layers" in graded.stdout
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert (handout / "outputs" / "samples.png").is_file()
    failed = [c["id"] for c in json.loads((handout / "outputs" / "results.json").read_text())["checks"]
              if c["verdict"] != "passed" and not needs_training(c["id"])]  # fmt: skip
    assert failed == ["level1.own_work", "level4.own_work"]


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


@pytest.mark.parametrize("name", ["handout.zip", "handout.tar", "handout.tar.gz", "HANDOUT.TGZ"])
def test_every_archive_has_one_folder_at_its_top(name, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "contents", lambda *_: {"docs/course.md": b"rules", "setup": b"#!/bin/sh\n"})
    assert main(["handout", str(tmp_path / "new" / name)]) == 0
    first = (tmp_path / "new" / name).read_bytes()
    assert main(["handout", str(tmp_path / "new" / name)]) == 0
    assert (tmp_path / "new" / name).read_bytes() == first  # the same files make the same archive
    subprocess.run(["tar" if name != "handout.zip" else "unzip", *(["-xf"] if name != "handout.zip" else ["-q"]),
                    tmp_path / "new" / name], cwd=tmp_path, check=True)  # fmt: skip
    (tmp_path / "new" / name).unlink()
    found = {
        str(file.relative_to(tmp_path)): file.stat().st_mode & 0o777 for file in tmp_path.rglob("*") if file.is_file()
    }
    assert found == {"no-confusion-diffusion/docs/course.md": 0o644, "no-confusion-diffusion/setup": 0o755}


@pytest.mark.parametrize("name", ["handout.rar", "handout.tar.xz", "handout.gz", "handout.7z"])
def test_other_archives_are_refused_not_made_as_folders(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "contents", lambda *_: {"docs/course.md": b"rules"})
    assert main(["handout", str(tmp_path / name)]) == 2
    assert "can't be written; expected .zip, .tar, .tar.gz, .tgz, or a folder" in capsys.readouterr().err
    (tmp_path / "handout.tar").mkdir()
    assert main(["handout", str(tmp_path / "handout.tar")]) == 2
    assert "a folder; expected a file, as the name ends in .tar" in capsys.readouterr().err


def test_the_courses_repository_and_rules_are_put_in(tmp_path, capsys):
    (tmp_path / "rules.md").write_text("Due on Friday.\n")
    options = ["--repository", "ai-101/ddpm", "--rules", str(tmp_path / "rules.md")]
    assert main(["handout", str(tmp_path / "with"), *options]) == 0
    assert "no rules of your course yet" not in capsys.readouterr().out
    assert main(["handout", str(tmp_path / "without")]) == 0
    assert "docs/course.md has no rules of your course yet" in capsys.readouterr().out
    badge = "(https://colab.research.google.com/github/ai-101/ddpm/blob/main/notebook.ipynb)"
    page, bare = ((tmp_path / name / "README.md").read_text() for name in ("with", "without"))
    assert badge in page and command.NOBODYS not in page and "colab.research" not in bare
    book = json.loads((tmp_path / "with" / "notebook.ipynb").read_text())
    source = "".join(line for cell in book["cells"] for line in cell["source"])
    assert 'HANDOUT = "https://github.com/ai-101/ddpm/archive/HEAD.zip"  # the address' in source
    rules = (tmp_path / "with" / "docs" / "course.md").read_text()
    assert rules.endswith("## The rules of your course\n\nDue on Friday.\n")
    assert main(["handout", str(tmp_path / "third"), "--repository", "https://github.com/a/b"]) == 2
    assert "expected OWNER/NAME" in capsys.readouterr().err


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


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_librarys_ddim_draws_what_the_reference_draws(eta):
    diffusion, network = GaussianDiffusion(50, 1e-3, 0.1), torch.nn.Conv2d(1, 1, 3, padding=1)
    drawn, stepped = [], []
    for kind in (ReferenceDDIM, LibraryDDIM):
        torch.manual_seed(0)
        sampler = kind(diffusion, "cpu", 10, eta)
        drawn.append(sampler.sample(Telling(network), (4, 1, 8, 8)))
        if not eta:  # the library draws noise for each pair of timesteps apart
            x, t, t_prev = torch.ones(3, 1, 8, 8), torch.tensor([20, 4, 0]), torch.tensor([11, -1, -1])
            stepped.append(sampler.p_sample(Telling(network), x, t, t_prev))
    torch.testing.assert_close(*drawn, rtol=0, atol=1e-4)
    assert drawn[0].abs().lt(1).double().mean() > 0.5  # not all clamped
    if not eta:
        torch.testing.assert_close(*stepped, rtol=0, atol=1e-5)


@pytest.mark.parametrize("w", [0.0, 1.0, 2.5])
def test_its_guidance_is_that_of_the_reference(w):
    x, t, y = torch.randn(3, 1, 8, 8), torch.tensor([0, 5, 9]), torch.tensor([1, 0, 2])

    def network(x, t, y):
        return x * (y + 1).view(-1, 1, 1, 1) + t.view(-1, 1, 1, 1)

    found, expected = (guided_eps(network, x, t, y, w, 3) for guided_eps in (library_guidance, reference_guidance))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(
        expected, x * (4 + w * (y - 3).view(-1, 1, 1, 1)) + t.view(-1, 1, 1, 1), rtol=0, atol=1e-5
    )


class Telling(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return x + 0.1 * self.network(x) + t.view(-1, 1, 1, 1) / 500


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
