"""The process that grades on platforms: what it judged in its time counts; if it fails, that says nothing."""

import json
import sys
import time

import pytest

from grader.errors import GraderFault
from grader.platforms import time_limited
from grader.results import Results
from tests.platforms.made_results import results


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A stand-in for Python: it reports results, then does as told."""

    def put(then: str, told: Results | None = None) -> None:
        line = json.dumps((told or results("passed", "not_judged")).to_json())
        script = tmp_path / "python"
        script.write_text(f"""#!{sys.executable}
import json, os, sys, time
channel = json.load(sys.stdin)["channel"]
os.write(channel, {line!r}.encode() + b"\\n" + b'{{"half": ')
{then}
""")
        script.chmod(0o755)
        tmp_path.chmod(0o755)
        monkeypatch.setattr(time_limited.sys, "executable", str(script))
        monkeypatch.setattr(time_limited, "user_for", lambda process: None)

    return put


def test_when_the_time_is_up_what_was_judged_counts(stand_in, tmp_path):
    stand_in("time.sleep(60)")
    start = time.monotonic()
    found = time_limited.grade_apart(tmp_path, seed=1, minutes=0.05, levels=[1])
    assert time.monotonic() - start < 30
    assert [check["verdict"] for check in found["checks"]] == ["passed", "not_judged"] and found["score"] == 1
    assert found["checks"][1]["message"] == "the 0.05 minutes that there are here for a level were over"


def test_levels_are_put_together(stand_in, tmp_path):
    stand_in("")
    found = time_limited.grade_apart(tmp_path, seed=1, minutes=1, levels=[1, 4])
    assert (found["score"], found["max_score"], len(found["checks"])) == (2, 4, 4)
    assert found["information"]["judged here"].startswith("4 of the 40 points")


@pytest.mark.parametrize(("then", "says"), [("sys.exit(3)", "exit code 3"), ("os.kill(os.getpid(), 9)", "code -9")])
def test_a_grader_that_fails_says_nothing_about_the_submission(then, says, stand_in, tmp_path):
    stand_in(then)
    with pytest.raises(GraderFault, match=f"level 1: the grading process ended with .*{says}"):
        time_limited.grade_apart(tmp_path, seed=1, minutes=1, levels=[1])
