"""The results as one HTML page that needs nothing but itself: no script, no request, pictures inside.

A submission's text is shown, never obeyed: jinja2 escapes whatever goes into the template, page.html, after `shown` has
removed control characters; and the page's own policy forbids the rest.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import jinja2
from markupsafe import Markup

from grader.check_ids import name_of
from grader.reports.repeats import Repeats, folded
from grader.reports.scales import scales
from grader.reports.wording import (
    MARKS,
    adjustments,
    checks_to_look_at,
    counts,
    heading,
    own_value,
    partial,
    printable,
    score_line,
    word,
)

HERE = Path(__file__).parent
MAX_TEXT = 10_000  # characters of one text, and
LINES = 200  # lines of it; all of it is in results.json
SHAPES = {  # of the marks on a scale, around its line
    "own": "M0-7a7 7 0 1 1-.1 0z", "reference": "M0-7L7 0L0 7L-7 0z", "real": "M0-8V8", "along": "M0-5V5",
    "limit": "M0-12V12",
}  # fmt: skip
ELSEWHERE = ("advisory", "configs", "changed")  # of the environment, what stands at the top or in a heading
PNG = b"\x89PNG\r\n\x1a\n"


def render(results: dict[str, Any], folder: Path | None = None, elsewhere: Mapping[str, Path] | None = None) -> str:
    """The page for a loaded results.json; `folder` holds it and its pictures; without one they are left out.

    `elsewhere`: file → folder, for pictures that lie in others.
    """
    places = elsewhere or {}
    checks = results["checks"]
    levels = {level: [c for c in checks if c["level"] == level] for level in sorted({c["level"] for c in checks})}
    waiting = {level: repeated(of) for level, of in levels.items()}
    told = [check["id"] for of in waiting.values() for kept in of.values() for check in kept]
    return render_page(
        "page.html", ["page.css"],
        results=results,
        score=score_line(results), adjustments=adjustments(results),
        levels=levels, waiting=waiting, told=told,
        to_look_at=[check for check in checks_to_look_at(checks) if check["id"] not in told],
        figures=[figure(e, places.get(e["file"], folder)) for e in results.get("figures", [])] if folder else [],
        environment={name: value for name, value in results["environment"].items() if name not in ELSEWHERE},
        points=points, headings={level: heading(level, results["environment"]) for level in levels},
        counts=counts, partial=partial, dedent=dedent, marks=MARKS, scales=scales,
        own_value=own_value, shapes=SHAPES,
    )  # fmt: skip


def render_page(template: str, styles: list[str], **values: Any) -> str:
    """A template of this folder, with style sheets of this folder inside the page."""
    style = "\n".join((HERE / name).read_text(encoding="utf-8") for name in styles)
    return pages().get_template(template).render(style=Markup(style), policy=Markup(policy(style)), **values)


@cache
def pages() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, finalize=shown, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"word": word, "label": lambda key: key.replace("_", " "), "rounded": rounded}
    return environment


def policy(style: str) -> str:
    """The Content-Security-Policy: this one style sheet, pictures inside the page, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def shown(value: Any) -> Any:
    """What becomes of every value before it is escaped: printable text, cut where it is endless."""
    if isinstance(value, Markup):
        return value
    everything = str(value)
    cut = "\n".join(everything[:MAX_TEXT].split("\n")[:LINES])
    left = len(everything) - len(cut)
    return printable(cut) + (f"\n… and {left:,} characters more, in results.json" if left else "")


def rounded(value: Any) -> Any:
    """Numbers to four digits, also those in lists: all of them are in results.json."""
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def repeated(checks: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Of a level's checks those that say nothing of their own, by the one line that tells of them."""
    repeats, found = Repeats(), dict[str, list[dict[str, Any]]]()
    for check in checks:
        if says := repeats.of(name_of(check["id"]), check["verdict"], check["message"]):
            found.setdefault(says, []).append(check)
    return {folded(says, [name_of(c["id"]) for c in kept]): kept for says, kept in found.items() if len(kept) > 1}


def points(checks: list[dict[str, Any]]) -> tuple[float, float]:
    """Points got, and points to be had."""
    got, most = (sum(check[key] for check in checks) for key in ("points", "max_points"))
    return got, most


def figure(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A picture as base64; empty where the file is no picture, or is not there."""
    path = folder / Path(entry["file"]).name  # beside results.json and nowhere else
    picture = path.read_bytes() if path.is_file() else b""
    data = base64.b64encode(picture).decode() if picture.startswith(PNG) else ""
    words = {"title": entry["title"], "alt": entry["alt"], "caption": entry.get("caption", "")}
    return words | {"name": path.name, "data": Markup(data)}
