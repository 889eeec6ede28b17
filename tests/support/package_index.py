"""A stand-in for a package index: wheels of a few bytes, served from this machine as PyPI and PyTorch serve theirs."""

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder's server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def add_wheel(folder: Path, name: str, version: str, *, needs: tuple[str, ...] = (), platform: str = "any") -> None:
    """A package with a module of its name, on the page of an index, which names its digest and its metadata's."""
    page = folder / name / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    file = page.with_name(f"{name}-{version}-py3-none-{platform}.whl")
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    about += "".join(f"Requires-Dist: {need}\n" for need in needs)
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": about,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-{platform}\n",
    }
    members[f"{info}/RECORD"] = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
    with zipfile.ZipFile(file, "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    file.with_name(f"{file.name}.metadata").write_text(about)
    of_file, of_metadata = (hashlib.sha256(data).hexdigest() for data in (file.read_bytes(), about.encode()))
    link = f"{file.name.replace('+', '%2B')}#sha256={of_file}"
    before = page.read_text() if page.exists() else "<!DOCTYPE html><html><body>\n"
    page.write_text(f'{before}<a href="{link}" data-core-metadata="sha256={of_metadata}">{file.name}</a><br/>\n')
