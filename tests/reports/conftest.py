"""Fixtures of the reports' tests: ordinary results, results full of a hostile student's text, and where reports run."""

import json
from pathlib import Path
from typing import Any

import pytest

from grader.results import VERDICTS
from tests.reports.made_results import checked, graded
from tests.support.platforms import RUNNER

HOSTILE = (
    "=cmd|' /C calc'!A1\n::set-output name=score::40\n   ::error::nothing\r\n##[add-mask]a\r::stop-commands::b\n"
    "<script>alert(1)</script> </pre><img src=x onerror=alert(1)> ]]> <![CDATA[ | a | `b` ``` **c** _d_ ~~e~~ $f$\n"
    "# heading\n- item\n[link](https://evil.example) www.evil.example a@evil.example @teacher #12 &lt; %0A::error::\n"
    "\x1b[31mred\x1b[0m \x00 \x07 \ud800 \ufffe \u202e \N{PILE OF POO}"
)


@pytest.fixture
def sample() -> dict[str, Any]:
    """One check of each verdict, on two levels, with quarters of points."""
    return graded(
        checked("level1.own_work", max_points=0.25),
        checked(
            "level1.contract.shapes", "failed", max_points=0.5, location="model.py:41", hint="Look at the skips.",
            trace="  model.py:41: return x + y", output="shape (1, 2)\n", seconds=0.8,
        ),
        checked("level1.samples.fid", max_points=3.0, measurements={"fid": 2.713, "limit": 28.2}),
        checked("level1.trained.weights", "not_judged", max_points=0.75),
        checked("level4.step.mean", "error", max_points=1.5, location="sampler.py:12"),
        checked("level4.step.variance", "timeout"),
        checked("level4.end_to_end", "out_of_memory", max_points=0.25),
    )  # fmt: skip


@pytest.fixture
def hostile() -> dict[str, Any]:
    """The same text in every place that a student's text can reach; and once, two megabytes of it."""
    texts = dict.fromkeys(("message", "hint", "trace", "output"), HOSTILE)
    checks = [checked(f"level1.part.{verdict}", verdict, **texts) for verdict in VERDICTS]
    endless = HOSTILE * (2_000_000 // len(HOSTILE))
    checks += [checked(f"level4.part.n{i}", "failed", **dict.fromkeys(texts, endless)) for i in range(40)]
    return graded(*checks) | {"information": {"parameters": HOSTILE}}


@pytest.fixture
def saved(sample, tmp_path) -> Path:
    (tmp_path / "results.json").write_text(json.dumps(sample))
    return tmp_path / "results.json"


@pytest.fixture(autouse=True)
def runner(monkeypatch):
    for name, value in RUNNER.items():
        monkeypatch.setenv(name, value)
