"""A page as written, and as shown by a real browser."""

import json
import os
import re
import select
import shutil
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

HOSTILE = (
    "</pre></details></article><script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">"
    "\" onmouseover=\"document.title = 'ran'\" javascript:alert(1) ' & &lt; <!-- $style ]]> "
    "\u202eright to left\u2066 \x1b[2J\x00\x07\r \ud800 \N{ZERO WIDTH SPACE}" + "W" * 500 + " h" + "\u0301" * 300
)
HARMLESS = "expected 3, got 4"
VOID = {"meta", "img", "rect", "wbr", "col"}

CHROMIUM = shutil.which("chromium")
PATIENCE = 120  # seconds; a browser starts slowly on a busy machine
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)  # fmt: skip
TOO_WIDE = """document.querySelectorAll('details').forEach(d => d.open = true);
[document.documentElement, ...document.body.querySelectorAll('*:not(rect)')]
    .filter(e => e.getBoundingClientRect().right > innerWidth || (e.clientWidth && e.scrollWidth > e.clientWidth))
    .map(e => e.outerHTML.slice(0, 200))"""
COLOURS = """[...document.body.querySelectorAll('*')]
    .filter(e => [...e.childNodes].some(n => n.nodeType == Node.TEXT_NODE && n.data.trim()))
    .map(e => {
        let ground = e;
        while (getComputedStyle(ground).backgroundColor == 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
        return [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor];
    })"""


class Page(HTMLParser):
    """The parts of a page. Raises AssertionError if an element is left open or closed twice."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {attrs}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def structure(self) -> list[tuple[str, list[str]]]:
        return [(tag, list(attributes)) for tag, attributes in self.tags]

    def all(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio of two colours, #rrggbb."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted(luminance(colour) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def coded(colour: str) -> str:
    """A browser's rgb(1, 2, 3) → #010203."""
    return "#" + "".join(f"{int(channel):02x}" for channel in re.findall(r"\d+", colour))


class Browser:
    """A Chromium tab, controlled by the DevTools protocol: JSON, each message ending with a zero byte."""

    def __init__(self, profile: Path) -> None:
        theirs, self.to = os.pipe()
        self.answers, answering = os.pipe()
        command = ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{answering}', "bash", CHROMIUM, *OPTIONS]
        self.process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}"], pass_fds=(theirs, answering), stderr=subprocess.DEVNULL
        )
        os.close(theirs)
        os.close(answering)
        self.said, self.count, self.session, self.requests = b"", 0, {}, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        self.ask("Page.enable")
        self.ask("Network.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters, **self.session}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        answer = self.wait_for("id", self.count)
        assert "error" not in answer, answer
        return answer["result"]

    def wait_for(self, key: str, value: Any) -> dict[str, Any]:
        """The next message in which this key has this value; records requests on the way."""
        until = time.monotonic() + PATIENCE
        while True:
            while b"\0" not in self.said:
                assert select.select([self.answers], [], [], until - time.monotonic())[0], f"no {key} {value} came"
                more = os.read(self.answers, 1 << 20)
                assert more, "the browser has ended"
                self.said += more
            first, self.said = self.said.split(b"\0", 1)
            message = json.loads(first)
            if message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            if message.get(key) == value:
                return message

    def show(self, file: Path, *, width: int = 360, scheme: str = "light", media: str = "screen") -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.ask("Emulation.setEmulatedMedia", media=media, features=[feature])
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        self.requests.clear()
        self.ask("Page.navigate", url=file.as_uri())
        self.wait_for("method", "Page.loadEventFired")

    def value(self, expression: str) -> Any:
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def close(self) -> None:
        self.ask("Browser.close")
        self.process.wait(PATIENCE)
        os.close(self.to)
        os.close(self.answers)
