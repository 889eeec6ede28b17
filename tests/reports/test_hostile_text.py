"""Attacks in a student's text: whatever a submission prints, a report stays a report."""

import base64
import csv
import html
import io
import json
import re
import xml.etree.ElementTree as ET

import pytest

from grader.reports import command
from tests.reports.readers import parsed, read_github_classroom


@pytest.mark.parametrize("name", command.FORMATS)
def test_two_megabytes_of_output_are_cut_and_control_characters_are_gone(name, hostile):
    page = command.FORMATS[name](hostile)
    page = base64.b64decode(page).decode() if name == "github-classroom" else page
    page.encode()  # no lone surrogates
    assert len(page) < 1_000_000 or name in ("gradescope", "classroom50", "html")
    shown = page.replace("\r\n", "\n") if name == "csv" else page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", shown)


def test_sizes_are_within_what_the_platforms_take(hostile):
    size = {name: len(command.FORMATS[name](hostile).encode()) for name in command.FORMATS}
    assert size["prairielearn"] <= 1_000_000 and size["github-summary"] <= 2**20 and size["classroom50"] <= 10 * 2**20
    assert size["github-classroom"] < 2**17, "the most that Linux takes in an environment variable"
    output = json.loads(command.FORMATS["gradescope"](hostile))["tests"][-1]["output"]
    assert re.search(r"… and [\d,]+ characters more", output)


@pytest.mark.parametrize("name", ["github-summary", "github-annotations", "github-classroom", "classroom50"])
def test_nothing_is_a_workflow_command_that_the_report_did_not_mean(name, hostile):
    page = command.FORMATS[name](hostile)
    if name == "github-classroom":  # the reporter prints the messages
        page = "\n".join(test["message"] for test in read_github_classroom(page)["tests"])
    elif name == "classroom50":
        page = "\n".join(test["message"] for test in json.loads(page)["tests"])
    elif name == "github-annotations":
        assert {kind for kind, _, _ in parsed(page)} == {"error", "notice"} and len(parsed(page)) == 1 + 10 + 1
        assert all(properties.keys() == {"title"} for _, properties, _ in parsed(page))
        return
    assert not [line for line in page.splitlines() if line.lstrip().startswith("::")]
    assert "##[" not in page


def test_the_summary_is_text_and_tables_and_nothing_else(hostile):
    page = command.FORMATS["github-summary"](hostile)
    assert set(re.findall(r"<.*?>", page)) == {"<pre>", "</pre>"} and page.count("<pre>") == page.count("</pre>") == 2
    for row in re.findall(r"^\|.*", page, re.MULTILINE):
        assert row.count("|") == 6
    rest = re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
    assert not re.search(r"[`\[\]@~$=]|://|www\.", rest)
    assert not re.search(r"@\w|#\d", html.unescape(rest)), "GitHub looks for mentions in what the entities stand for"


def test_no_cell_begins_like_a_formula(hostile):
    hostile["checks"][0]["message"], hostile["checks"][1]["message"] = "\t=1+1", "@SUM(A1)"
    rows = list(csv.reader(io.StringIO(command.FORMATS["csv"](hostile), newline="")))
    assert len(rows) == 1 + len(hostile["checks"]) and {len(row) for row in rows} == {12}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert (rows[1][8], rows[2][8]) == ("'=1+1", "'@SUM(A1)")


def test_junit_is_well_formed_whatever_was_printed(hostile):
    root = ET.fromstring(command.FORMATS["junit"](hostile).encode())
    assert "]]>" in root.find(".//system-out").text and "<script>" in root.find(".//failure").text
