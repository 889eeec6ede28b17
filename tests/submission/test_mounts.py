"""What the sandbox hides in the folders that it shows, and what a training by the course can see: no test images."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader.submission.mounts import aliases, data_sets, mounts
from grader.submission.sandbox import clean_environment, find_sandbox, visible
from grader.suite.shared_fork_server import shared_fork_server
from grader.train_submission import train
from tests.conftest import ROOT
from tests.submission.test_sandbox import asked, listing, with_sandbox

NETWORK = (ROOT / "tests" / "support" / "networks.py").read_text()


# ---- data sets among packages


@pytest.fixture
def python(tmp_path) -> Path:
    """A folder of a Python with packages: scikit-learn's data, code in folders of such names, and others."""
    packages = tmp_path / "lib" / "python3.99" / "site-packages"
    for name in ("sklearn/datasets/data/digits.csv.gz", "skimage/data/cat.png", "mine/data/x-ubyte",
                 "a/b/datasets/Y.NPZ", "torchvision/datasets/mnist.py", "torch/utils/data/dataset.py",
                 "matplotlib/mpl-data/matplotlibrc", "c/d/e/data/deep.csv", "f/weights.npz"):  # fmt: skip
        file = packages / name
        file.parent.mkdir(parents=True)
        file.touch()
    return tmp_path


def test_folders_with_data_sets_are_found_and_code_is_not(python):
    found = {str(folder.relative_to(python / "lib/python3.99/site-packages")) for folder in data_sets(python)}
    assert found == {"sklearn/datasets", "skimage/data", "mine/data", "a/b/datasets"}
    assert {*data_sets(python / "lib/python3.99/site-packages")} == {*data_sets(python)}  # as a user's own folder is


def test_what_is_shown_twice_is_hidden_twice(tmp_path):
    (tmp_path / "usr" / "lib" / "data").mkdir(parents=True)
    (tmp_path / "lib").symlink_to(tmp_path / "usr" / "lib")
    shown = [tmp_path / "usr", tmp_path / "lib"]
    assert aliases([tmp_path / "lib" / "data"], shown) == [tmp_path / "lib" / "data", tmp_path / "usr" / "lib" / "data"]
    assert aliases([tmp_path / "elsewhere", tmp_path / "usr"], shown) == []  # not there; shown itself, on purpose


def test_folders_are_mounted_from_the_outside_in(tmp_path):
    for name in ("shown/private/shown too/runs", "shown/private/secret"):
        (tmp_path / name).mkdir(parents=True)
    shown, private = tmp_path / "shown", tmp_path / "shown" / "private"
    words = mounts([private / "shown too", shown], [private / "shown too" / "runs"], [private])
    places = [words[i + 1] for i, word in enumerate(words) if word in ("--ro-bind", "--bind", "--tmpfs")]
    wanted = [shown, private, private / "shown too", private / "shown too" / "runs"]
    assert places == list(map(str, wanted))
    assert words[-2:] == ["--remount-ro", str(private)]


# ---- inside


def inside(code: str, **about: object) -> object:
    command = find_sandbox("auto").wrap([sys.executable, "-c", code], at=Path("/"), scratch_mib=1, **about)
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LIST = "import json\n{listing}\nprint(json.dumps(found))"


@with_sandbox
def test_what_is_private_is_not_there_and_what_lies_within_can_be(tmp_path):
    """A course may keep its images, its secret and this project in /opt, which is shown."""
    for name in ("data/test.bin", "data/python/module.py", "secret", "open"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("something")
    look = LIST.format(listing=listing(tmp_path))
    assert inside(look, readable=[tmp_path]) == ["data/python/module.py", "data/test.bin", "open", "secret"]
    hidden = {"hidden": [tmp_path / "data", tmp_path / "secret"], "readable": [tmp_path, tmp_path / "data" / "python"]}
    assert inside(look, **hidden) == ["data/python/module.py", "open", "secret"]
    attempt = "import os\ntry:\n    {}\n    print('1')\nexcept OSError:\n    print('0')"
    secret, mine = str(tmp_path / "secret"), str(tmp_path / "data" / "mine")
    assert inside(attempt.format(f"assert open({secret!r}).read()"), readable=[tmp_path]) == 1
    assert inside(attempt.format(f"assert open({secret!r}).read()"), **hidden) == 0  # its name, and nothing in it
    assert inside(attempt.format(f"os.mkdir({mine!r})"), **hidden) == 0


@with_sandbox
def test_the_checkout_is_not_there_wherever_it_lies():
    assert inside(LIST.format(listing=listing(ROOT)), readable=[ROOT.parent]) == []


@with_sandbox
def test_scikit_learns_digits_are_not_there(tmp_path):
    pytest.importorskip("sklearn")
    code = """
import os, sys
sys.meta_path[:] = [m for m in sys.meta_path if m.__class__.__name__ != '_Block']
try:
    from sklearn.datasets import load_digits
    found = 'there'
except ImportError:
    found = [name for top in ('/usr', '/lib', '/opt', *sys.path) for _, _, names in os.walk(top)
             for name in names if 'digits' in name and not name.endswith(('.py', '.pyc', '.pyi'))][:5]"""
    assert asked(tmp_path, code) == []
    trusted = shared_fork_server(fork=True, sandbox="required", trusted=True)
    assert asked(tmp_path, code, trusted) == []  # nobody needs them


# ---- a training


SEEN = """
import os, sys
if "main.py" in sys.argv[0]:  # not in the checks of the contract before
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if name not in ("proc", "sys", "dev")]
        for name in names:
            if name.endswith(("-ubyte", "-ubyte.gz", "digits.csv.gz", "-training.safetensors")) or (
                name in ("test.safetensors", "test_batch", "data_batch_1")
            ):
                print("SEES", name)
"""


@with_sandbox
@pytest.mark.parametrize("name", ["digits", "fashion_mnist"])
def test_a_training_sees_the_training_images_and_no_others(name, tmp_path, request, capsys):
    root = ROOT / "data" if name == "digits" else request.getfixturevalue("real_data")
    (tmp_path / "handed in").mkdir()
    (tmp_path / "handed in" / "model.py").write_text(f"{NETWORK}\n{SEEN}")
    (trained,) = train(
        tmp_path / "handed in", [ROOT / "configs" / f"{name}.yaml"],
        [f"data.root={root}", "data.limit=64", "training.epochs=1", "runtime.device=cpu", "model.num_timesteps=10",
         "sampling.num_images=1"], tmp_path / "out", find_sandbox("required"),
    )  # fmt: skip
    said = capsys.readouterr().out
    assert trained.state == "finished", said
    assert {line.split("SEES ")[1] for line in said.splitlines() if "SEES" in line} == {f"{name}-training.safetensors"}


def test_a_training_without_a_sandbox_is_told_of_the_copy_alone(tmp_path, capsys):
    """It has its user's rights, and may find the test images; nothing leads it there."""
    (tmp_path / "handed in").mkdir()
    said = "import sys\nif 'main.py' in sys.argv[0]:\n    print('SEES', sys.argv)\n"
    (tmp_path / "handed in" / "model.py").write_text(f"{NETWORK}\n{said}")
    train(
        tmp_path / "handed in", [ROOT / "configs" / "digits.yaml"],
        ["training.epochs=1", "data.limit=64", "runtime.device=cpu", "model.num_timesteps=10", "sampling.num_images=1"],
        tmp_path / "out", find_sandbox("none"),
    )  # fmt: skip
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "SEES" in line]
    root = line.partition("data.root=")[2].partition("'")[0]
    assert root.endswith("/images") and not Path(root).exists()  # it is gone with the training


def test_the_test_images_are_private_where_a_sandbox_would_show_them(tmp_path, monkeypatch):
    from grader.suite.judge import Judge

    class Option:
        config, set, secret_seed, figures = ROOT / "configs" / "digits.yaml", [], None, tmp_path / "out"
        trusted = False

    judge = Judge.__new__(Judge)
    judge.config = type("Config", (), {"option": Option})
    judge.settings = judge._settings()
    assert judge._private() == ()  # nothing of this lies in a folder that is shown
    (tmp_path / "data").mkdir()
    (tmp_path / "secret").write_bytes(os.urandom(32))
    Option.set, Option.secret_seed = [f"data.root={tmp_path / 'data'}"], str(tmp_path / "secret")
    judge.settings = judge._settings()
    monkeypatch.setattr("grader.suite.judge.visible", lambda: [*visible(), tmp_path])
    assert set(judge._private()) == {tmp_path / "data", tmp_path / "secret"}
    shutil.rmtree(tmp_path / "data")
    assert set(judge._private()) == {tmp_path / "secret"}
