"""Which two files are taken out of a folder that may hold more."""

import pytest

from grader.submission.handed_in import take
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("files", "origins"),
    [
        (
            ["assignment/model.py", "assignment/sampler.py", "reference/model.py"],
            ["assignment/model.py", "assignment/sampler.py"],
        ),
        (["model.py", "reference/model.py"], ["model.py"]),
        (["hw/model.py", "hw/deep/sampler.py", ".git/model.py"], ["hw/model.py", "hw/deep/sampler.py"]),
    ],
)
def test_the_two_files_are_found(files, origins, tmp_path):
    for name in files:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name)
    taken = take([tmp_path / "in"], tmp_path / "out")
    assert taken.problem == "" and list(taken.origins.values()) == origins
    assert {file.name: file.read_text() for file in (tmp_path / "out").iterdir()} == taken.origins


def test_a_link_is_no_file_that_was_handed_in(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "model.py").symlink_to(ROOT / "reference" / "model.py")
    assert "symbolic link" in take([tmp_path / "in"], tmp_path / "out").problem
    assert not (tmp_path / "out").exists()
