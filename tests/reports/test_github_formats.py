"""What GitHub shows of a grading: the summary of a job, and annotations beside the lines that failed."""

import html

import pytest

from grader.reports import command, github_annotations
from tests.reports.made_results import checked, graded
from tests.reports.readers import parsed


def test_annotations_stand_at_the_line_that_failed(sample):
    commands = parsed(command.FORMATS["github-annotations"](sample))
    assert commands[0] == ("notice", {"title": "Score"}, "3.25 of 7.25 points; 4 checks failed, 1 were not judged")
    kind, properties, message = commands[1]
    assert kind == "error" and properties == {"file": "model.py", "line": "41", "title": "level1.contract.shapes"}
    assert message == "A claim: it holds.\nexpected this, got failed\nLook at the skips."
    assert [kind for kind, _, _ in commands] == ["notice", *["error"] * 4, "notice"]


def test_annotations_find_the_file_in_the_students_repository(sample, saved, capsys):
    files = {
        properties.get("file") for _, properties, _ in parsed(github_annotations.render(sample, "assignment/{}".format))
    }
    assert files == {None, "assignment/model.py", "assignment/sampler.py"}
    assert command.main([str(saved), "--format", "github-annotations", "--prefix", "assignment/"]) == 0
    assert capsys.readouterr().out == github_annotations.render(sample, "assignment/{}".format)


def test_an_annotation_says_exactly_what_was_said():
    says = "50 %25, 3:4\n%0A::error::"
    results = graded(checked("level1.a:b,c", "failed", message=says))
    assert parsed(command.FORMATS["github-annotations"](results))[1] == (
        "error", {"title": "level1.a:b,c"}, f"A claim: it holds.\n{says}",
    )  # fmt: skip


def test_the_summary_shows_the_first_failure_in_full_and_a_table_for_each_level(sample):
    page = html.unescape(command.FORMATS["github-summary"](sample))
    assert page.startswith(
        "## 3.25 of 7.25 points\n\n### First to look at: level1.contract.shapes\n\nA claim: it holds."
    )
    assert "**failed** in model.py:41: expected this, got failed" in page
    assert "<pre>  model.py:41: return x + y</pre>" in page and "Hint: Look at the skips." in page
    assert "### Level 1: 3.25 of 4.5 points" in page and "### Level 4: 0 of 2.75 points" in page
    assert "| ❌ | step.mean | error | 0/1.5 | expected this, got error |" in page


@pytest.mark.parametrize(
    ("verdicts", "first"),
    [(("passed", "not_judged", "failed"), 2), (("passed", "not_judged"), 1), (("not_judged", "timeout"), 1)],
)
def test_a_failure_is_looked_at_before_what_was_not_judged(verdicts, first):
    results = graded(*(checked(f"level1.part.n{i}", verdict) for i, verdict in enumerate(verdicts)))
    assert f"First to look at: level1.part.n{first}\n" in html.unescape(command.FORMATS["github-summary"](results))


def test_who_passed_everything_has_nothing_to_look_at():
    for name in ("github-summary", "gradescope"):
        assert "First to look at" not in command.FORMATS[name](graded(checked("level1.own_work")))
