"""The page of a class: valid, harmless whatever students and rosters contain, and readable, in a real browser."""

import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

from grader.classroom.hand_ins import HandedIn, told_apart
from grader.classroom.outcome import ClassOutcome
from grader.classroom.page import render
from grader.classroom.statistics import mistakes
from grader.results import Check, Results
from grader.similarity.pairs import similar
from tests.support.browser import COLOURS, HARMLESS, HOSTILE, TOO_WIDE, Page, coded, contrast

FOLDER = re.sub(r"[/\0\ud800]", "", HOSTILE)  # as much of it as a folder's name can hold


def results(said: str, passed: int, model: str) -> dict[str, Any]:
    """Of a student who passed this many of six checks on two levels; `said` is in every text of the submission."""
    checks = [
        Check(f"level{1 + 3 * (i // 4)}.some.check_{i}", f"Claim {i}.", 2.0, "passed" if i < passed else "failed", said)
        for i in range(5)
    ]
    checks.append(Check("level4.samples.sound", "Claim 5.", 2.0, "not_judged", said))
    return Results(Path("x"), {}, checks, {}, {"model.py": model}).to_json()


def a_class(name: str, said: str) -> str:
    """Four students are graded, one of them under this name; two are not, for the reason given."""
    names = ["ann", "bob", "cid", name]
    about = {"email": said}
    handed_in = told_apart(HandedIn(who, about=about) for who in (*names, "eve", f"not {name}"))
    graded = {who: results(said, i + 1, "0f" * 32) for i, who in enumerate(names)}
    program = "".join(f"b{k} = torch.op{k}(a, b{k} + 1)  # {' '.join(said.split())}\n" for k in range(12))
    code = {"ann": program, name: f"{program}\n", "bob": "x = 1"}
    sources = {who: {"model.py": text.encode("utf-8", "replace")} for who, text in code.items()}
    pairs = similar(sources, {"model.py": [], "sampler.py": []})
    problems = {"eve": "nothing handed in", f"not {name}": said}
    return render(ClassOutcome(handed_in, graded, problems, audited={"ann": [], name: [said]}), pairs)


def test_the_page_is_sound():
    page = Page(a_class("dan", HARMLESS))
    tags = [tag for tag, _ in page.tags]
    assert page.tags[0] == ("html", {"lang": "en"}) and "script" not in tags and "img" not in tags
    headings = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1 and headings.count(1) == 1 and all(b <= a + 1 for a, b in pairwise(headings))
    ids = page.all("id")
    assert len(ids) == len(set(ids)) and set(page.all("aria-labelledby")) <= set(ids)
    inside = {link.removeprefix("#") for link in page.all("href") if link.startswith("#")}
    assert inside and inside <= set(ids)
    assert all(attributes["scope"] in ("row", "col") for tag, attributes in page.tags if tag == "th")
    assert not re.search(r"https?:|url\(|@import", a_class("dan", HARMLESS))


def test_everybody_has_a_row_with_the_points_of_each_level():
    source = a_class("dan", HARMLESS)
    rows = [" ".join("".join(Page(f"<tr>{row}</tr>").texts).split()) for row in re.findall("<tr>(.*?)</tr>", source)]
    students = rows[next(i for i, row in enumerate(rows) if row.startswith("studentpoints")) :]
    assert students[:7] == [
        "studentpointsnot judgedlevel 1level 4first to look at",
        "ann2/1222/80/4level1.some.check_1",
        "bob4/1224/80/4level1.some.check_2",
        "cid6/1226/80/4level1.some.check_3",
        "dan8/1228/80/4level4.some.check_4",
        "eve––––not graded: nothing handed in",
        "not dan––––not graded: expected 3, got 4",
    ]


def test_the_page_says_how_much_nobody_has_judged_and_why():
    page = " ".join(Page(a_class("dan", HARMLESS)).texts)
    assert "Not a full grade:" in page and "2 of 12 points could not be judged for 4 of 4 students" in page
    assert "as there are no trained weights of theirs: have them handed in" in page
    assert f"8 points of 4 students: {HARMLESS}" in page
    whole = results(HARMLESS, 3, "")
    whole["checks"].pop()
    source = render(ClassOutcome([HandedIn("ann", folder="ann")], {"ann": whole}))
    assert "Not a full grade" not in source and 'not judged</th><th scope="col">level' not in source


def test_an_audit_says_whose_verdicts_do_not_stand():
    assert "2 graded again; where a verdict does not stand is listed." in a_class("dan", HARMLESS)
    graded, handed_in = {"ann": results(HARMLESS, 3, "")}, [HandedIn("ann", folder="ann")]
    assert "1 graded again; every verdict stands." in render(ClassOutcome(handed_in, graded, audited={"ann": []}))
    assert "graded again" not in render(ClassOutcome(handed_in, graded))


def test_what_students_and_rosters_say_stays_text():
    page, plain = Page(a_class(FOLDER, HOSTILE)), Page(a_class("dan", HARMLESS))
    assert page.structure == plain.structure
    shown = "".join(page.texts)
    assert shown.count("<script>document.title = 'ran'<") >= 5
    assert all(c.isprintable() or c in "\n\t" for c in shown)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A written page on which every student and every submission is hostile."""
    page = tmp_path / "class.html"
    page.write_text(a_class(FOLDER, HOSTILE), encoding="utf-8")
    return page


def test_in_a_browser_every_link_leads_to_the_report(browser, tmp_path):
    """Names that would be markup, a query, another folder or another site if not quoted."""
    names = [
        "ann",
        "<img src=x onerror=alert(1)>",
        "100% #1?a=b",
        "a:b",
        "Zoë & Bob\"'",
        "\\\\host",
        "javascript:alert(1)",
    ]
    graded = {name: results(HARMLESS, 3, "") for name in names}
    for name in names:
        (tmp_path / "students" / name).mkdir(parents=True)
        (tmp_path / "students" / name / "report.html").touch()
    page = tmp_path / "class.html"
    handed_in = [HandedIn(name, folder=name) for name in names]
    page.write_text(render(ClassOutcome(handed_in, graded)), encoding="utf-8")
    browser.show(page)
    links = browser.value("[...document.querySelectorAll('th a')].map(a => a.href)")
    assert [Path(unquote(urlparse(link).path)) for link in links] == [
        tmp_path / "students" / name / "report.html" for name in names
    ]
    assert all(Path(unquote(urlparse(link).path)).exists() for link in links)


# content of a table that scrolls by itself may be wider than the screen
OUTSIDE_OF_TABLES = f"{TOO_WIDE.replace('*:not(rect)', '*:not(rect, .scroll, .scroll *)')}"
# where there is room, code side by side is wider than the column of text that it belongs to
BESIDE_CODE = OUTSIDE_OF_TABLES.replace(".scroll *)", ".scroll *, :has(.pair), .pair)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 1200])
def test_in_a_browser_nothing_is_cut_off_and_everything_readable(browser, hostile, width, scheme):
    browser.show(hostile, width=width, scheme=scheme)
    assert browser.value(BESIDE_CODE if width == 1200 else OUTSIDE_OF_TABLES) == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    widest = browser.value("Math.max(...[...document.querySelectorAll('.scroll')].map(e => e.scrollWidth))")
    assert widest < 1200, "a name stretches a table"
    colours = {(coded(ink), coded(ground)) for ink, ground in browser.value(COLOURS)}
    assert {pair for pair in colours if contrast(*pair) < 4.5} == set()
    ground = coded(browser.value("getComputedStyle(document.documentElement).backgroundColor"))
    assert contrast(ground, "#000000" if scheme == "light" else "#ffffff") > 15


def test_in_a_browser_nothing_runs_and_nothing_is_fetched(browser, hostile):
    browser.show(hostile)
    assert browser.value("document.title") == "4 of 6 graded – No-Confusion Diffusion"
    assert browser.requests == [hostile.as_uri()]


def test_in_a_browser_everything_is_reached_by_the_keyboard(browser, hostile):
    browser.show(hostile)
    browser.value("document.querySelectorAll('details').forEach(d => d.open = true)")
    stops = browser.value("document.querySelectorAll('a, .scroll, summary').length")
    for _ in range(stops):
        browser.press("Tab", 9)
        assert re.search("solid 3px", browser.value("getComputedStyle(document.activeElement).outline"))
        browser.value("document.activeElement.classList.add('reached')")
    assert browser.value("document.querySelectorAll('.reached').length") == stops > 8


def test_printed_it_is_light_and_whole(browser, hostile):
    browser.show(hostile, media="print", scheme="dark", width=480)  # less than A5
    assert browser.value(TOO_WIDE) == []
    colours = [(coded(ink), coded(ground)) for ink, ground in browser.value(COLOURS)]
    assert min(contrast(ground, "#000000") for _, ground in colours) > 15
    assert min(contrast(*pair) for pair in colours) >= 4.5


def test_similar_code_is_shown_side_by_side():
    source = a_class("dan", HARMLESS)
    page = " ".join(" ".join(Page(source).texts).split())
    assert "100 % model.py : ann · dan" in page and "A hint for people to look at, and never points." in page
    rows = re.findall(
        r'<tr[^>]*><td class="number">(\d+)</td><td><code>(.*?)</code></td><td class="number">(\d+)<', source
    )
    assert len(rows) == 12 and rows[0] == ("1", "b0 = torch.op0(a, b0 + 1)  # expected 3, got 4", "1")
    alone = render(ClassOutcome([HandedIn("ann", folder="ann")], {"ann": results(HARMLESS, 3, "")}))
    assert "No two students&#39; files are more similar" in alone or "No two students' files are more similar" in alone


def test_300_students_make_no_slow_page(browser, tmp_path):
    names = [f"student {i}" for i in range(300)]
    graded = {name: results(f"expected {'x' * (i % 40)}", i % 6, str(i % 290)) for i, name in enumerate(names)}
    start = time.perf_counter()
    source = render(ClassOutcome(told_apart(map(HandedIn, names)), graded))
    assert time.perf_counter() - start < 2 and len(source) < 300_000
    page = tmp_path / "class.html"
    page.write_text(source, encoding="utf-8")
    start = time.perf_counter()
    browser.show(page)
    assert browser.value("document.querySelectorAll('th a').length") == 300
    assert time.perf_counter() - start < 10


def test_what_fails_many_checks_at_once_is_one_mistake():
    """For example a missing file, whose message contains the path."""
    graded = {
        name: results(f"there is no file model.py in graded/{name}/submission", 1, name) for name in ("ann", "bob")
    }
    graded |= {"cid": results("expected 3, got 4", 4, "cid")}
    first, second = mistakes(graded)
    assert first.students == ("ann", "bob") and len(first.checks) == 4 and second.students == ("cid",)
    source = render(ClassOutcome(told_apart(map(HandedIn, graded)), graded))
    assert "<code>level1.some.check_1</code> and 3 more: there is no file model.py in graded/ann/submission" in source


def test_a_students_name_in_a_path_makes_no_mistake_of_its_own():
    """Folders are named as the roster names students, in any number of words."""
    graded = {}
    for name in ("Lee, Ann", "van der Berg, Jan Willem", "bob"):
        folder = f"/home/course/graded/students/{name}/submission"
        graded[name] = results(f"there is no file sampler.py in {folder}", 4, name)
        graded[name]["submission"]["path"] = folder
    (mistake,) = mistakes(graded)
    assert mistake.students == tuple(graded) and mistake.says == "there is no file sampler.py"


def test_a_class_in_which_nobody_was_graded_has_a_page():
    page = Page(render(ClassOutcome([HandedIn("eve", (), "nothing handed in")], {}, {"eve": "nothing handed in"})))
    assert "0 of 1 graded" in "".join(page.texts) and "Nobody was graded." in page.texts
