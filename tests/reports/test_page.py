"""The HTML page: valid, harmless whatever a submission contains, and readable, as measured in a real browser."""

import re
import struct
import subprocess
import sys
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from grader.checks.finding import at_least, at_most
from grader.reports.html import HERE, LINES, MAX_TEXT, render
from grader.reports.scales import scales
from grader.reports.wording import own_value
from grader.results import VERDICTS, Check, Results
from tests.support.browser import COLOURS, HARMLESS, HOSTILE, TOO_WIDE, Page, coded, contrast


def results(said: str = HARMLESS, **more: Any) -> dict[str, Any]:
    """A results.json with each verdict, on a known level and another; `said` is in every text of a submission."""
    about = {
        "message": said,
        "hint": said,
        "location": said,
        "trace": said,
        "output": said,
        "measurements": {said: said},
    }
    checks = [
        Check(f"level{i % 2 * 4 + 1}.some.{v}", f"The claim of {v}.", 0.5, v, **about) for i, v in enumerate(VERDICTS)
    ]
    checks.append(Check("level5.some.quiet", "Passed without a word.", 1.0, "passed", message=""))
    environment = {"device": said, "seed": 7, "guards": ["deadlines", said], "advisory": "without a sandbox"}
    graded = Results(Path(said.replace("\x00", "")), environment, checks, {said: said}, {"model.py": "0f" * 32})
    return graded.to_json() | more


def png(width: int, height: int) -> bytes:
    """A white picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress((b"\0" + b"\xff" * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


FID = {"fid": 7.7, "of_real_images": 2.6, "of_reference": "3.4", "value": 7.7, "limit": 27.6, "margin": 0.72}
LOSS = {
    "loss": 0.0866, "loss_of_reference": 0.0815, "epochs_along_the_reference": [1, 20],
    "losses_along_the_reference": [0.24, 0.095],
}  # fmt: skip


def trained(**changed: Any) -> dict[str, Any]:
    """With what was measured of a training."""
    checks = [
        Check("level1.samples.fid", "Like the data.", 1.0, "passed", "", measurements=FID | changed),
        Check("level2.loss.beats_reference", "Below the reference.", 1.0, "failed", "no", measurements=LOSS | changed),
    ]
    return Results(Path("s"), {}, checks).to_json()


def test_a_passed_check_says_its_own_value_and_its_limit():
    assert "fid 7.7, at most 27.6" in "".join(Page(render(trained())).texts)
    assert own_value(results()["checks"][0]) == ""
    assert own_value({"measurements": {"value": "inf", "limit": 1}}) == ""
    assert own_value({"measurements": {"value": 0.0, "limit": 0.0, "difference": 0.0}}) == "difference 0, at most 0"


@pytest.mark.parametrize(
    ("bound", "says"),
    [
        (at_most(1.0, 2.0), "1, at most 2"), (at_most(3.0, 2.0), "3, at most 2"), (at_most(2.0, 2.0), "2, at most 2"),
        (at_most(0.5, 0.0), "0.5, at most 0"), (at_least(3.0, 2.0), "3, at least 2"),
        (at_least(1.0, 2.0), "1, at least 2"),
    ],
)  # fmt: skip
def test_which_way_a_limit_holds_follows_from_the_margin(bound, says):
    assert own_value({"measurements": bound}) == f"measured {says}"


def test_scales_show_where_a_training_stands():
    checks = trained()["checks"]
    (fid,), (loss,) = scales(checks[:1]), scales(checks[1:])
    assert [mark.says for mark in fid.marks] == ["real images 2.6", "the reference 3.4", "limit 27.6", "yours 7.7"]
    assert fid.marks[0].at == 3 and fid.marks[2].at == 97  # percent of the axis
    assert fid.marks[0].at < fid.marks[1].at < fid.marks[3].at < fid.marks[2].at
    own, after_20 = loss.marks[-1], loss.marks[1]
    assert own.says == "yours 0.0866" and loss.marks[2].at < own.at < after_20.at and "after 1, 20 epochs" in loss.says


@pytest.mark.parametrize(
    "changed",
    [
        {"fid": "nan", "loss": "nan"}, {"fid": None, "loss": None}, {"fid": 0.0, "loss": -1.0},
        {"fid": [1], "loss": {}},
        {"epochs_along_the_reference": "x", "losses_along_the_reference": 3, "limit": "inf"},
        {"epochs_along_the_reference": [1, "x"], "losses_along_the_reference": [True, None, 0.1]},
    ],
)  # fmt: skip
def test_any_measurements_can_be_shown(changed):
    assert Page(render(trained(**changed))).all("id")


def test_checks_come_before_pictures_once_all_is_passed(illustrated):
    graded, folder = illustrated
    passed = [check | {"verdict": "passed"} for check in graded["checks"]]
    for checks, first in ((graded["checks"], "pictures"), (passed, "title1")):
        order = Page(render(graded | {"checks": checks}, folder)).all("id")
        assert min(order.index("pictures"), order.index("title1")) == order.index(first)


@pytest.fixture
def illustrated(tmp_path: Path) -> tuple[dict[str, Any], Path]:
    (tmp_path / "samples.png").write_bytes(png(1200, 300))
    figure = {"file": "samples.png", "title": "Samples", "alt": "samples beside real images", "caption": "Left: …"}
    return results(figures=[figure]), tmp_path


def test_the_page_is_sound(illustrated):
    page = Page(render(*illustrated))
    tags = [tag for tag, _ in page.tags]
    assert page.tags[0] == ("html", {"lang": "en"})
    assert "script" not in tags
    headings = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1 and headings.count(1) == 1 and all(b <= a + 1 for a, b in pairwise(headings))
    assert [attributes["alt"] for tag, attributes in page.tags if tag == "img"] == ["samples beside real images"]
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in page.all("href")} | set(page.all("aria-labelledby")) <= set(ids)
    assert all(source.startswith("data:image/png;base64,") for source in page.all("src"))
    assert not re.search(r"https?:|url\(|@import", render(*illustrated))


def test_all_that_was_found_is_on_the_page():
    said = {name: f"this is the {name}" for name in ("message", "hint", "location", "trace", "output")}
    check = Check("level1.some.check", "The claim.", 0.75, "failed", **said, measurements={"largest_gap": 0.25})
    environment = {"seed": 773518, "guards": ["deadlines", "import block"], "advisory": "graded in process"}
    graded = Results(Path("a/b"), environment, [check], {"parameters": "63,154"}, {"model.py": "0f" * 32})
    shown = " ".join(" ".join(Page(render(graded.to_json(), Path())).texts).split())
    for wanted in (
        *said.values(), "0 of 0.75 points", "The claim.", "some.check", "failed", "0/0.75", "largest gap 0.25", "a/b",
        "Advisory only: graded in process.", "773518", "deadlines", "import block", "0f" * 32, "parameters 63,154",
    ):  # fmt: skip
        assert wanted in shown


def everywhere(said: str, folder: Path) -> str:
    """A page with this text in every place, including a picture's caption."""
    (folder / "wide.png").write_bytes(png(2000, 300))
    return render(results(said, figures=[{"file": "wide.png", "title": said, "alt": said, "caption": said}]), folder)


def test_what_a_submission_says_stays_text(tmp_path):
    """In every place it adds no element and no attribute, and is readable."""
    page, plain = (Page(everywhere(said, tmp_path)) for said in (HOSTILE, HARMLESS))
    assert page.structure == plain.structure
    shown = "".join(page.texts)
    assert shown.count("</pre></details></article><script>document.title = 'ran'</script>") > 5 * len(VERDICTS)
    assert all(c.isprintable() or c in "\n\t" for c in shown)


@pytest.mark.parametrize("endless", ["x" * 1_000_000, "\n" * 1_000_000, "<" * 1_000_000])
def test_endless_output_is_cut(tmp_path, endless):
    graded = results() | {"checks": [Check("level1.a", "The claim.", 1.0, "failed", output=endless).to_json()]}
    source = render(graded, tmp_path)
    output = next(data for data in Page(source).texts if "more, in results.json" in data)
    assert output.count("\n") <= LINES and len(output) < MAX_TEXT + 100
    assert len(source) < 100_000


def test_pictures_are_taken_from_beside_the_results_only(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(png(1, 1))
    (folder / "text.png").write_text("no picture")
    files = ("missing.png", "../outside.png", str(tmp_path / "outside.png"), "text.png", "..", "", "a\0b.png")
    page = Page(render(results(figures=[{"file": file, "title": file, "alt": "x"} for file in files]), folder))
    assert page.all("src") == []
    assert "".join(page.texts).count("left out") == len(files)


def test_the_page_is_made_without_torch():
    code = "import sys, grader.reports.html; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_colour_of_text_has_contrast_in_both_schemes():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # just too little
    roots = re.findall(r":root \{(.*?)\}", (HERE / "page.css").read_text(), re.DOTALL)
    light, dark, printed = (dict(re.findall(r"--(\w+): (#\w{6});", root)) for root in roots)
    inks = set(light) - {"paper", "card", "line"}
    assert inks >= {"ink", "muted", "accent", "good", "bad"} and light.keys() == dark.keys()
    for colours in (light, dark, light | printed):
        poor = [ink for ink in inks for on in ("paper", "card") if contrast(colours[ink], colours[on]) < 4.5]
        assert poor == []


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A written page on which every text is from a hostile submission."""
    (tmp_path / "page.html").write_text(everywhere(HOSTILE, tmp_path), encoding="utf-8")
    return tmp_path / "page.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 1200])
def test_in_a_browser_nothing_is_cut_off_and_everything_readable(browser, hostile, width, scheme):
    browser.show(hostile, width=width, scheme=scheme)
    assert browser.value(TOO_WIDE) == []
    colours = {(coded(ink), coded(ground)) for ink, ground in browser.value(COLOURS)}
    assert len(colours) >= 5
    assert {pair for pair in colours if contrast(*pair) < 4.5} == set()
    ground = coded(browser.value("getComputedStyle(document.documentElement).backgroundColor"))
    assert contrast(ground, "#000000" if scheme == "light" else "#ffffff") > 15


def test_in_a_browser_nothing_runs_and_nothing_is_fetched(browser, hostile):
    browser.show(hostile)
    assert browser.value("document.title") == "1.5 of 4 points – No-Confusion Diffusion"
    assert browser.value("document.querySelector('img').naturalWidth") == 2000
    assert [url for url in browser.requests if not url.startswith("data:")] == [hostile.as_uri()]


def test_even_unescaped_nothing_would_run(browser, hostile):
    """The page's policy suffices by itself."""
    attack = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\"><img src='wide.png'>"
    attack += "<style>h1 { display: none }</style><iframe src='page.html'></iframe>"
    source = hostile.read_text(encoding="utf-8").replace("</body>", attack + "</body>")
    hostile.write_text(source, encoding="utf-8")
    browser.show(hostile)
    assert browser.value("document.scripts.length") == 1
    assert browser.value("document.title").startswith("1.5 of 4 points")
    assert browser.value("getComputedStyle(document.querySelector('h1')).display") == "block"
    assert browser.value("[...document.images].map(i => i.naturalWidth)") == [2000, 0, 0]
    assert browser.value("document.querySelector('iframe').contentDocument") is None


def test_in_a_browser_everything_is_reached_by_the_keyboard(browser, hostile):
    browser.show(hostile)
    stops = browser.value("document.querySelectorAll('a, summary').length")
    assert stops > 10
    reached = []
    for _ in range(stops):
        browser.press("Tab", 9)
        browser.value("seen = document.activeElement; seen.classList.add('reached')")
        reached.append(browser.value("[seen.localName, getComputedStyle(seen).outline]"))
    assert browser.value("document.querySelectorAll('.reached').length") == stops
    assert all(re.search("solid 3px", outline) for _, outline in reached), reached
    assert reached[-1][0] == "summary"
    browser.ask("Input.dispatchKeyEvent", type="char", text="\r", key="Enter")
    assert browser.value("seen.parentElement.open")


def test_printed_it_is_light_and_hides_nothing(browser, hostile):
    hidden = "[...document.querySelectorAll('details > :not(summary)')].filter(e => !e.checkVisibility()).length"
    browser.show(hostile)
    assert browser.value(hidden) > 10
    browser.show(hostile, media="print", scheme="dark")
    assert browser.value(hidden) == 0
    colours = [(coded(ink), coded(ground)) for ink, ground in browser.value(COLOURS)]
    assert min(contrast(ground, "#000000") for _, ground in colours) > 15
    assert min(contrast(*pair) for pair in colours) >= 4.5
