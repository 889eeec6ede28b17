"""Reads every format back as its platform does."""

import base64
import csv
import io
import json
import re
from typing import Any

from junitparser import JUnitXml, Properties

# of each check its points and its maximum


def read_gradescope(page: str) -> list[tuple[float, float]]:
    return [(test["score"], test["max_score"]) for test in json.loads(page)["tests"]]


def read_classroom50(page: str) -> list[tuple[float, float]]:
    return [(test["points"], test["max-points"]) for test in json.loads(page)["tests"]]


def read_prairielearn(page: str) -> list[tuple[float, float]]:
    return [(test["points"], test["max_points"]) for test in json.loads(page)["tests"]]


def read_csv(page: str) -> list[tuple[float, float]]:
    return [(float(row["points"]), float(row["max_points"])) for row in csv.DictReader(io.StringIO(page, newline=""))]


def read_junit(page: str) -> list[tuple[float, float]]:
    found = []
    for suite in JUnitXml.fromstring(page.encode()):
        for case in suite:
            values = {each.name: float(each.value) for each in case.child(Properties)}
            found.append((values["points"], values["max_points"]))
    return found


def read_summary(page: str) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in re.findall(r"^\|(?:[^|]*\|){3} ([\d.]+)/([\d.]+) \|", page, re.MULTILINE)]


def read_text(page: str) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in re.findall(r"^[✓✗–] .* ([\d.]+)/([\d.]+)$", page, re.MULTILINE)]


READERS = {
    "gradescope": read_gradescope, "classroom50": read_classroom50, "prairielearn": read_prairielearn,
    "csv": read_csv, "junit": read_junit, "github-summary": read_summary, "text": read_text,
}  # fmt: skip


# and what else a platform reads


def read_github_classroom(page: str) -> dict[str, Any]:
    return json.loads(base64.b64decode(page, validate=False))


def decoded(text: str) -> str:
    for sign in "\r\n:,%":
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text


def parsed(page: str) -> list[tuple[str, dict[str, str], str]]:
    """Commands as parsed by GitHub's runner."""
    commands = []
    for line in page.removesuffix("\n").split("\n"):
        kind, listed, message = re.fullmatch(r"::(\w+) (.*?)::(.*)", line).groups()
        properties = dict(one.split("=", 1) for one in listed.split(","))
        commands.append((kind, {k: decoded(v) for k, v in properties.items()}, decoded(message)))
    return commands
