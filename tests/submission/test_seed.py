"""The seed of the judge's inputs: secret, and the same when the same work is graded again."""

import shutil
from pathlib import Path

import pytest

from grader.__main__ import main
from grader.submission.seed import choose_seed
from tests.conftest import ROOT

DIGITS = ROOT / "configs" / "digits.yaml"


def test_a_secret_seed_follows_from_the_secret_and_the_submission(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.py").write_text(name)
        (tmp_path / f"{name}.secret").write_text(f"the secret of {name} teacher")
    one, other = tmp_path / "one", tmp_path / "other"
    secret = str(tmp_path / "one.secret")
    seed, said, shared = choose_seed(one, None, secret)
    assert (seed, said, shared) == choose_seed(one, None, secret) and said == "from a secret" and 0 <= seed < 1 << 63
    shutil.copy(one / "model.py", tmp_path / "model.py")
    assert choose_seed(tmp_path, None, secret).number == seed  # the folder's name means nothing
    others = [choose_seed(other, None, secret), choose_seed(one, None, str(tmp_path / "other.secret"))]
    assert len({seed, *(each.number for each in others)}) == 3
    assert choose_seed(one, None, None) == choose_seed(other, None, None) == (0, "public", b"")
    assert choose_seed(one, 7, None)[:2] == (7, "given")
    assert choose_seed(one, None, "draw") != choose_seed(one, None, "draw")

    # the same for all submissions with this secret, and for no others; nobody finds it from the seeds in their results
    assert others[0].shared == shared != others[1].shared and len(shared) == 32
    assert choose_seed(one, seed, None).shared not in (shared, choose_seed(one, 7, None).shared, b"")
    assert choose_seed(one, 0, None).shared == b""  # that seed is public, however it's given


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seed", "1", "--secret-seed", "draw"], "--seed and --secret-seed: expected one of them"),
        (["--seed", str(2**70)], f"--seed {2**70}: expected at least 0, and below 2^63"),
        (["--secret-seed", "nowhere"], "--secret-seed=nowhere: No such file or directory; expected `draw` or a file"),
        (["--secret-seed", "short"], "--secret-seed=short: a secret of 5 bytes; expected at least 16"),
    ],
)
def test_a_wrong_seed_is_told_in_one_line(arguments, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("short").write_text("short")
    Path("model.py").touch()
    assert main([str(tmp_path), "--config", str(DIGITS), *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"error: {says}")
