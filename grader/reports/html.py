"""The results as one page of HTML that needs nothing but itself: no script, no request, pictures inside.

A submission's text is shown, never obeyed: everything goes through `text`, and the page's own policy forbids the rest.
"""

import base64
import hashlib
import html
from collections import Counter
from pathlib import Path
from string import Template
from textwrap import dedent
from typing import Any

from grader.reports.wording import MARKS, WORDS, checks_to_look_at, printable

HERE = Path(__file__).parent
LEVELS = {1: "Network", 2: "Loss", 3: "Harder samples", 4: "Sampler"}
LONGEST = 10_000  # characters of one text, and
LINES = 200  # lines of it; all of it stands in results.json
PNG = b"\x89PNG\r\n\x1a\n"


def render(results: dict[str, Any], folder: Path | None = None) -> str:
    """The page for a loaded results.json; `folder` is where it lies, with its pictures; else they are left out."""
    style = (HERE / "page.css").read_text(encoding="utf-8")
    checks = results["checks"]
    levels = {level: [c for c in checks if c["level"] == level] for level in sorted({c["level"] for c in checks})}
    return Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        policy=policy(style), style=style,
        score=f"{results['score']:g} of {results['max_score']:g} points",
        submission=text(results["submission"]["path"]),
        advisory=advisory(results["environment"].get("advisory")),
        summary="\n".join(summary(level, of_level) for level, of_level in levels.items()),
        first=first_to_look_at(checks),
        figures=figures(results.get("figures", []), folder),
        levels="\n".join(section(level, of_level) for level, of_level in levels.items()),
        information=information(results["information"]),
        environment=environment(results),
    )  # fmt: skip


def policy(style: str) -> str:
    """The Content-Security-Policy: this one style sheet, pictures inside the page, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def text(value: Any) -> str:
    """Anything as text that a browser shows as it is, cut where it is endless."""
    everything = str(value)
    shown = "\n".join(everything[:LONGEST].split("\n")[:LINES])
    left = len(everything) - len(shown)
    more = f"\n… and {left:,} characters more, in results.json" if left else ""
    return html.escape(printable(shown) + more)


def advisory(why: str | None) -> str:
    return f'<p class="advisory" role="note"><strong>Advisory only:</strong> {text(why)}.</p>' if why else ""


def summary(level: int, checks: list[dict]) -> str:
    """A level in two lines and a bar."""
    got, most = (sum(c[key] for c in checks) for key in ("points", "max_points"))
    return f"""<li>
<p class="line"><a href="#level{level}">{title(level)}</a> <span>{got:g} of {most:g} points</span></p>
<svg class="bar" aria-hidden="true"><rect width="100%" height="100%"/>\
<rect class="got" width="{got / most if most else 0:.1%}" height="100%"/></svg>
<p class="counts">{counts(checks)}</p>
</li>"""


def title(level: int) -> str:
    return f"Level {level}: {LEVELS[level]}" if level in LEVELS else f"Level {level}"


def counts(checks: list[dict]) -> str:
    """How many checks have which verdict: passed 21 · failed 2."""
    return " · ".join(f"{word(verdict)} {n}" for verdict, n in Counter(c["verdict"] for c in checks).items())


def word(verdict: str) -> str:
    return text(WORDS.get(verdict, verdict))


def first_to_look_at(checks: list[dict]) -> str:
    """Links to what failed, the first with what it says; where nothing did, to what was not judged first."""
    looked_at = checks_to_look_at(checks)
    if not looked_at:
        return ""
    first, *others = looked_at
    then = f"\n<p>Then: {', '.join(link(check) for check in others)}</p>" if others else ""
    return f"""<section class="first" aria-labelledby="first">
<h2 id="first">First to look at</h2>
<p>{link(first)}: {text(first["message"])}</p>{then}
</section>"""


def link(check: dict) -> str:
    return f'<a href="#{text(check["id"])}"><code>{text(check["id"])}</code></a>'


def figures(listed: list[dict], folder: Path | None) -> str:
    if not listed or folder is None:
        return ""
    shown = "\n".join(figure(entry, folder) for entry in listed)
    return f"""<section aria-labelledby="pictures">
<h2 id="pictures">Pictures</h2>
<div class="figures">
{shown}
</div>
</section>"""


def figure(entry: dict, folder: Path) -> str:
    """A picture inside the page; a line where its file is not there."""
    caption = text(entry["title"])
    path = folder / Path(entry["file"]).name  # beside results.json and nowhere else
    picture = path.read_bytes() if path.is_file() else b""
    if not picture.startswith(PNG):
        return f"<p>{caption}: left out, there is no picture {text(path.name)} beside results.json.</p>"
    data = base64.b64encode(picture).decode()
    return f"""<figure>
<img src="data:image/png;base64,{data}" alt="{text(entry["alt"])}">
<figcaption>{caption}</figcaption>
</figure>"""


def section(level: int, checks: list[dict]) -> str:
    got, most = (sum(c[key] for c in checks) for key in ("points", "max_points"))
    articles = "\n".join(article(check) for check in checks)
    return f"""<section id="level{level}" aria-labelledby="title{level}">
<div class="line"><h2 id="title{level}">{title(level)}</h2> <p>{got:g} of {most:g} points</p></div>
<p class="counts">{counts(checks)}</p>
<div class="checks">
{articles}
</div>
</section>"""


def article(check: dict) -> str:
    """One check: claim, verdict, points, and all that was found."""
    verdict = check["verdict"]
    kind = verdict if verdict in MARKS else "wrong"
    name = check["id"].split(".", 1)[1]
    at = f" <code>{text(check['location'])}</code>" if check["location"] else ""
    parts = [
        f'<span class="mark" aria-hidden="true">{MARKS.get(verdict, "✗")}</span>',
        f"<h3>{text(check['claim'])}</h3>",
        f'<p class="points">{check["points"]:g}/{check["max_points"]:g}</p>',
        f'<p class="facts"><span class="verdict">{word(verdict)}</span> <code>{text(name)}</code>{at}</p>',
    ]
    if check["message"]:
        parts.append(f'<p class="message">{text(check["message"])}</p>')
    if check["trace"]:
        parts.append(f"<pre>{text(dedent(check['trace']))}</pre>")
    if check["hint"]:
        parts.append(f'<p class="hint"><strong>Hint:</strong> {text(check["hint"])}</p>')
    if check["output"]:
        parts.append(folded("Printed by the submission", f"<pre>{text(check['output'])}</pre>"))
    if check["measurements"]:
        rows = "".join(f"<dt>{label(name)}</dt><dd>{text(value)}</dd>" for name, value in check["measurements"].items())
        parts.append(folded("Measured", f'<dl class="measured">{rows}</dl>'))
    return f'<article class="check {kind}" id="{text(check["id"])}">\n' + "\n".join(parts) + "\n</article>"


def folded(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>{content}</details>"


def label(key: str) -> str:
    return text(key.replace("_", " "))


def information(values: dict[str, Any]) -> str:
    if not values:
        return ""
    rows = "\n".join(row(label(name), text(value)) for name, value in values.items())
    return f"""<section aria-labelledby="information">
<h2 id="information">Also seen, without points</h2>
<table>
{rows}
</table>
</section>"""


def environment(results: dict[str, Any]) -> str:
    """The rows of what the verdicts depend on: machine, versions, seed, guards, and the files that were judged."""
    values = {name: value for name, value in results["environment"].items() if name != "advisory"}
    rows = [row(label(name), cell(value)) for name, value in values.items()]
    hashes = results["submission"]["sha256"].items()
    rows += [row(f"sha256 of {text(file)}", f"<code>{text(digest)}</code>") for file, digest in hashes]
    return "\n".join(rows)


def cell(value: Any) -> str:
    if isinstance(value, list):
        return "<ul>" + "".join(f"<li>{text(item)}</li>" for item in value) + "</ul>"
    return text(value)


def row(name: str, value: str) -> str:
    return f'<tr><th scope="row">{name}</th><td>{value}</td></tr>'
