"""What a hand-in contains, read without unpacking it: folders, zip and tar archives, and archives within them.

All of it may be hostile: links are not followed, paths are only names, and sizes, counts and depths have limits.
Small files are read into memory, large ones (weights) pass through in pieces.
"""

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, cast

from assignment.ddpm.errors import UserError
from grader.submission.archives import NO_TEXT, Open, TooLong, members
from grader.submission.sources import MOST, why_missing

JUNK = {"__macosx", "__pycache__", "node_modules", "site-packages", "venv"}  # nobody's own work, at any depth
ARCHIVE = re.compile(r"\.(?:zipx?|tar|(?:tar\.)?(?:gz|bz2|xz|zst)|tgz|tbz2?|txz|7z|rar)$", re.IGNORECASE)

DEPTH = 16  # folders and archives within one another
NESTED = 3  # archives within one another
MOST_FILES = 100_000  # an environment zipped by mistake has 40,000
MOST_WANTED = 64  # files of a name that is looked for
MOST_IN_MEMORY = 64 << 20  # bytes of an archive within an archive; the rest of it goes to disk
SEVERAL = 4  # large files in one archive within an archive
MOST_LARGE = 32  # files of a name that is looked for among large ones
MOST_PASSED = 2 << 30  # bytes of all large files, and of all archives within archives
AT_START = 1 << 20  # bytes of a large file that are kept: weights say there what they are
PIECE = 1 << 12  # bytes read at a time: zipfile unpacks all that it has read, and LZMA makes 7,000 bytes of one


@dataclass(frozen=True)
class Large:
    """A large file, which was looked at but not kept."""

    path: PurePosixPath
    size: int  # bytes
    sha256: str
    start: bytes  # the first `AT_START` bytes


@dataclass
class Contents:
    """Of one hand-in. Paths are as a person would write them: project.zip/assignment/model.py"""

    wanted: list[tuple[PurePosixPath, bytes]] = field(default_factory=list)  # a zip may hold a path twice
    unreadable: list[tuple[PurePosixPath, str]] = field(default_factory=list)  # of a wanted name, and why
    large: list[Large] = field(default_factory=list)
    refused: list[tuple[PurePosixPath, str]] = field(default_factory=list)  # of a large one's name, and why
    others: list[PurePosixPath] = field(default_factory=list)
    leads_out: bool = False  # whether paths in an archive do, which are among the others
    closed: list[str] = field(default_factory=list)  # folders and archives that can't be looked into, and why


Names = Callable[[PurePosixPath], bool]


def no_name(path: PurePosixPath) -> bool:
    return False


def look_into(
    places: list[Path], is_wanted: Names, is_large: Names = no_name, *, most: int = 0,
    copies: Mapping[PurePosixPath, Path] | None = None,
) -> Contents:  # fmt: skip
    """Everything in a student's folders, archives and loose files.

    Args:
        is_wanted: names of small files, which are read
        is_large: names of large files, which are looked at
        most: bytes of a large file
        copies: large file → where it is written
    Raises:
        UserError: there is too much of it
    """
    search = _Search(is_wanted, is_large, most, copies or {})
    for place in places:
        path = PurePosixPath(place.name if len(places) > 1 else "")
        if place.is_dir():
            search.folder(place, path)
        elif place.is_file() and ARCHIVE.search(place.name):
            search.archive(place, path)
        else:
            search.file(place, PurePosixPath(place.name))
    return search.contents


class _Search:
    def __init__(
        self, is_wanted: Names, is_large: Names, most: int, copies: Mapping[PurePosixPath, Path]
    ) -> None:  # fmt: skip
        self.is_wanted, self.is_large, self.most, self.copies = is_wanted, is_large, most, copies
        self.contents, self.count, self.passed = Contents(), 0, 0

    def folder(self, folder: Path, path: PurePosixPath) -> None:
        waiting = [(folder, path)]
        while waiting:
            place, path = waiting.pop()
            try:
                entries = list(self._entries(place))
            except OSError as error:
                self.contents.closed.append(f"the folder {place.name} can't be read ({error.strerror})")
                continue
            for name, is_folder in sorted(entries):
                if self._is_worth_a_look(path / name):
                    if is_folder:
                        waiting.append((place / name, path / name))
                    else:
                        self.file(place / name, path / name)

    def file(self, file: Path, path: PurePosixPath) -> None:
        if self.is_wanted(path):
            self._keep(path, lambda: _open_file(file, MOST))
        elif self.is_large(path):
            self._pass(path, lambda: _open_file(file, self.most))
        elif ARCHIVE.search(file.name) and stat.S_ISREG(file.lstat().st_mode):
            self.archive(file, path)
        else:
            self.contents.others.append(path)

    def archive(self, file: Path, path: PurePosixPath) -> None:
        try:
            with file.open("rb") as opened:
                self._opened(opened, file.name, path)
        except OSError as error:
            self.contents.closed.append(f"{file.name} can't be read ({error.strerror})")

    def _entries(self, folder: Path) -> Iterator[tuple[str, bool]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                self._count()
                yield entry.name, entry.is_dir(follow_symlinks=False)

    def _opened(self, file: IO[bytes], name: str, path: PurePosixPath, nested: int = 1) -> None:
        """One that can't be read is noted as such, whatever is wrong with it."""
        before, before_large = len(self.contents.wanted), len(self.contents.large)
        try:
            for inside, open_ in members(file):
                self._count()
                if inside.is_absolute():
                    self.contents.others.append(path / inside.relative_to("/"))
                    self.contents.leads_out = True
                elif self._is_worth_a_look(inside):
                    self._member(path / inside, open_, nested)
        except _TooMuch:
            raise
        except Exception as error:  # zipfile and tarfile don't say which ones a damaged archive can cause
            says = f"{name} can't be opened ({str(error) or type(error).__name__})"
            self.contents.closed.append(says)
            if not isinstance(error, TooLong):  # then what was read of it may be damaged, too
                told = f"{says}; hand in the two files, or a zip of them"
                self.contents.unreadable += [(path, told) for path, _ in self.contents.wanted[before:]]
                self.contents.refused += [(each.path, told) for each in self.contents.large[before_large:]]
                del self.contents.wanted[before:], self.contents.large[before_large:]

    def _member(self, path: PurePosixPath, open_: Open, nested: int) -> None:
        if self.is_wanted(path):
            self._keep(path, open_)
        elif self.is_large(path):
            self._pass(path, open_)
        elif not ARCHIVE.search(path.name):
            self.contents.others.append(path)
        else:
            self._archive_within(path, open_, nested)

    def _archive_within(self, path: PurePosixPath, open_: Open, nested: int) -> None:
        """What is wrong with it is not wrong with the archive around it."""
        most = MOST_IN_MEMORY + SEVERAL * self.most
        with tempfile.SpooledTemporaryFile(MOST_IN_MEMORY) as content:
            try:
                with open_() as opened:
                    for piece in self._pieces(opened, most + 1):
                        content.write(piece)
            except _TooMuch:
                raise
            except Exception as error:  # as above
                self.contents.closed.append(f"{path} can't be read ({error})")
                return
            if nested == NESTED or content.tell() > most:
                self.contents.closed.append(f"{path} is too large or too deep to be opened within another archive")
            else:
                content.seek(0)
                self._opened(cast(IO[bytes], content), str(path), path, nested + 1)

    def _keep(self, path: PurePosixPath, open_: Open) -> None:
        if len(self.contents.wanted) >= MOST_WANTED:
            raise _TooMuch(f"{path.name} is there more than {MOST_WANTED} times; expected each file once")
        try:
            with open_() as opened:
                source = b"".join(_pieces(opened, MOST + 1))
            if len(source) > MOST:
                raise UserError(f"{path.name} has more than {MOST:,} bytes")
            if source.startswith(NO_TEXT):
                raise UserError(f"{path} is an archive or document by its content; hand in the Python file itself")
            self.contents.wanted.append((path, source))
        except Exception as error:  # as above
            self.contents.unreadable.append((path, _why(path, error)))

    def _pass(self, path: PurePosixPath, open_: Open) -> None:
        """Look at a large file, and copy it if it is to be copied."""
        if len(self.contents.large) >= MOST_LARGE:
            raise _TooMuch(f"{path.name} is there more than {MOST_LARGE} times; expected each file once")
        try:
            with open_() as opened, open(self.copies.get(path, os.devnull), "wb") as copy:
                self.contents.large.append(self._look(path, opened, copy))
        except _TooMuch:
            raise
        except Exception as error:  # as above
            self.contents.refused.append((path, _why(path, error)))

    def _look(self, path: PurePosixPath, opened: IO[bytes], copy: IO[bytes]) -> Large:
        digest, size, start = hashlib.sha256(), 0, b""
        for piece in self._pieces(opened, self.most + 1):
            size += len(piece)
            digest.update(piece)
            copy.write(piece)
            if len(start) < AT_START:
                start += piece
        if size > self.most:
            raise UserError(f"{path} has more than {self.most >> 20:,} MiB")
        return Large(path, size, digest.hexdigest(), start)

    def _pieces(self, opened: IO[bytes], most: int) -> Iterator[bytes]:
        for piece in _pieces(opened, most):
            self.passed += len(piece)
            if self.passed > MOST_PASSED:
                raise _TooMuch(f"there is more than {MOST_PASSED >> 30} GiB to unpack; hand in the files themselves")
            yield piece

    def _count(self) -> None:
        self.count += 1
        if self.count > MOST_FILES:
            raise _TooMuch(f"there are more than {MOST_FILES:,} files; expected model.py and sampler.py alone")

    def _is_worth_a_look(self, path: PurePosixPath) -> bool:
        junk = any(part.casefold() in JUNK or part.startswith(".") for part in path.parts)
        return not junk and len(path.parts) <= DEPTH


class _TooMuch(UserError):
    """Ends the search."""


def _why(path: PurePosixPath, error: Exception) -> str:
    return str(error) if isinstance(error, UserError) else f"{path} can't be read ({error})"


def _open_file(file: Path, most: int) -> IO[bytes]:
    if why := why_missing(file, most):
        raise UserError(why)
    return file.open("rb")


def _pieces(opened: IO[bytes], most: int) -> Iterator[bytes]:
    """The content, up to so many bytes."""
    while most > 0 and (piece := opened.read(min(PIECE, most))):
        most -= len(piece)
        yield piece
