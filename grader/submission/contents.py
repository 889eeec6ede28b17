"""What a hand-in contains, read without unpacking it: folders, zip and tar archives, and archives within them.

All of it may be hostile: links are not followed, paths are only names, and sizes, counts and depths have limits.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from assignment.ddpm.errors import UserError
from grader.submission.sources import MOST, why_missing

JUNK = {"__macosx", "__pycache__", "node_modules", "site-packages", "venv"}  # nobody's own work, at any depth
ARCHIVE = re.compile(r"\.(?:zipx?|tar|(?:tar\.)?(?:gz|bz2|xz|zst)|tgz|tbz2?|txz|7z|rar)$", re.IGNORECASE)
COMPRESSED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open,
}  # fmt: skip
NO_READER = {b"Rar!": "RAR", b"7z\xbc\xaf": "7z", b"\x28\xb5\x2f\xfd": "Zstandard"}  # in the standard library
NO_TEXT = (b"PK\3\4", b"\x1f\x8b", *NO_READER)  # how archives begin, and documents of Office
SPARING = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA}  # of bzip2 zipfile unpacks gigabytes at once

DEPTH = 16  # folders and archives within one another
NESTED = 3  # archives within one another
MOST_FILES = 100_000  # an environment zipped by mistake has 40,000
MOST_WANTED = 64  # files of a name that is looked for
MOST_UNPACKED = 1 << 30  # bytes of a compressed tar, which can only be read from its start
MOST_IN_MEMORY = 64 << 20  # bytes of an archive within an archive
MOST_AT_ONCE = 16 << 20  # bytes of the list of a zip's files, or of one header of a tar
PIECE = 1 << 12  # bytes read at a time: zipfile unpacks all that it has read, and LZMA makes 7,000 bytes of one

LINK = "{} is a link; hand in the file itself"
Read = Callable[[int], bytes]  # the content of a file, or so many bytes and one more


@dataclass
class Contents:
    """Of one hand-in. Paths are as a person would write them: project.zip/assignment/model.py"""

    wanted: list[tuple[PurePosixPath, bytes]] = field(default_factory=list)  # a zip may hold a path twice
    unreadable: list[tuple[PurePosixPath, str]] = field(default_factory=list)  # of a wanted name, and why
    others: list[PurePosixPath] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)  # folders and archives that can't be looked into, and why


def look_into(places: list[Path], is_wanted: Callable[[PurePosixPath], bool]) -> Contents:
    """Everything in a student's folders, archives and loose files.

    Raises:
        UserError: there is too much of it
    """
    search = _Search(is_wanted)
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
    def __init__(self, is_wanted: Callable[[PurePosixPath], bool]) -> None:
        self.is_wanted, self.contents, self.count = is_wanted, Contents(), 0

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
            self._keep(path, lambda most: _read_file(file, most))
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
        before = len(self.contents.wanted)
        try:
            for inside, read in _members(file):
                self._count()
                if inside.is_absolute():
                    self.contents.others.append(path / inside.relative_to("/"))
                elif self._is_worth_a_look(inside):
                    self._member(path / inside, read, nested)
        except _TooMuch:
            raise
        except Exception as error:  # zipfile and tarfile don't say which ones a damaged archive can cause
            says = f"{name} can't be opened ({str(error) or type(error).__name__})"
            self.contents.closed.append(says)
            if not isinstance(error, _TooLong):  # then what was read of it may be damaged, too
                told = f"{says}; hand in the two files, or a zip of them"
                self.contents.unreadable += [(path, told) for path, _ in self.contents.wanted[before:]]
                del self.contents.wanted[before:]

    def _member(self, path: PurePosixPath, read: Read, nested: int) -> None:
        if self.is_wanted(path):
            self._keep(path, read)
        elif not ARCHIVE.search(path.name):
            self.contents.others.append(path)
        else:
            self._archive_within(path, read, nested)

    def _archive_within(self, path: PurePosixPath, read: Read, nested: int) -> None:
        """What is wrong with it is not wrong with the archive around it."""
        try:
            content = read(MOST_IN_MEMORY)
        except Exception as error:  # as above
            self.contents.closed.append(f"{path} can't be read ({error})")
            return
        if nested == NESTED or len(content) > MOST_IN_MEMORY:
            self.contents.closed.append(f"{path} is too large or too deep to be opened within another archive")
        else:
            self._opened(io.BytesIO(content), str(path), path, nested + 1)

    def _keep(self, path: PurePosixPath, read: Read) -> None:
        if len(self.contents.wanted) >= MOST_WANTED:
            raise _TooMuch(f"{path.name} is there more than {MOST_WANTED} times; expected each file once")
        try:
            source = read(MOST)
            if len(source) > MOST:
                raise UserError(f"{path.name} has more than {MOST:,} bytes")
            if source.startswith(NO_TEXT):
                raise UserError(f"{path} is an archive or document by its content; hand in the Python file itself")
            self.contents.wanted.append((path, source))
        except Exception as error:  # as above
            says = str(error) if isinstance(error, UserError) else f"{path} can't be read ({error})"
            self.contents.unreadable.append((path, says))

    def _count(self) -> None:
        self.count += 1
        if self.count > MOST_FILES:
            raise _TooMuch(f"there are more than {MOST_FILES:,} files; expected model.py and sampler.py alone")

    def _is_worth_a_look(self, path: PurePosixPath) -> bool:
        junk = any(part.casefold() in JUNK or part.startswith(".") for part in path.parts)
        return not junk and len(path.parts) <= DEPTH


class _TooMuch(UserError):
    """Ends the search."""


class _TooLong(ValueError):
    """Ends the search in one archive, of which the rest is not looked at."""


def _read_file(file: Path, most: int) -> bytes:
    if why := why_missing(file):
        raise UserError(why)
    with file.open("rb") as opened:
        return opened.read(most + 1)


class _Sparing:
    """A file of which nobody reads much at a time: it is the archive that says how much there is to read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.tell = file, file.tell

    def read(self, size: int = -1) -> bytes:
        content = self.file.read(size if 0 <= size <= MOST_AT_ONCE else MOST_AT_ONCE + 1)
        if len(content) > MOST_AT_ONCE:
            raise _TooLong(f"more than {MOST_AT_ONCE >> 20} MiB of it are names")
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def seekable(self) -> bool:
        return True


class _Unpacked(_Sparing):
    """What a compressed file unpacks to, as far as that is within reason."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if offset > MOST_UNPACKED:
            raise _TooLong(f"it unpacks to more than {MOST_UNPACKED >> 30} GiB")
        return super().seek(offset, whence)

    def to_the_end(self) -> None:
        """Where the checksum is, which tarfile does not look at."""
        while self.file.read(1 << 20):
            self.seek(self.tell())  # within reason


def _members(file: IO[bytes]) -> Iterator[tuple[PurePosixPath, Read]]:
    """Path and content of each file in an archive; its first bytes say of which kind it is, whatever its name."""
    start = file.read(512)
    file.seek(0)
    for magic, name in NO_READER.items():
        if start.startswith(magic):
            raise ValueError(f"it is a {name} archive")
    for magic, unpack in COMPRESSED.items():
        if start.startswith(magic):
            with unpack(file) as opened:
                unpacked = _Unpacked(opened)
                yield from _members_of_tar(unpacked)
                unpacked.to_the_end()
            return
    yield from _members_of_tar(_Sparing(file)) if start[257:262] == b"ustar" else _members_of_zip(_Sparing(file))


def _members_of_zip(file: _Sparing) -> Iterator[tuple[PurePosixPath, Read]]:
    with zipfile.ZipFile(cast(IO[bytes], file)) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield _path(member.filename.replace("\\", "/")), partial(_read_zipped, archive, member)


def _read_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UserError(LINK.format(member.filename))
    if member.flag_bits & 1:
        raise ValueError("it needs a password; pack it without")
    if member.compress_type not in SPARING:
        raise ValueError("packed by neither Deflate nor LZMA; pack it as an ordinary zip")
    with archive.open(member) as opened:
        return _read(opened, most)


def _members_of_tar(file: _Sparing) -> Iterator[tuple[PurePosixPath, Read]]:
    with tarfile.open(fileobj=cast(IO[bytes], file), mode="r:") as archive:
        for member in archive:
            if not member.isdir():
                yield _path(member.name), partial(_read_tarred, archive, member)


def _read_tarred(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    opened = archive.extractfile(member) if member.isreg() else None
    if opened is None:
        is_link = member.issym() or member.islnk()
        raise UserError(LINK.format(member.name) if is_link else f"{member.name} is no regular file")
    with opened:
        return _read(opened, most)


def _read(opened: IO[bytes], most: int) -> bytes:
    content = bytearray()
    while len(content) <= most and (piece := opened.read(PIECE)):
        content += piece
    return bytes(content[: most + 1])


def _path(name: str) -> PurePosixPath:
    """As an archive has it, without `./`; absolute if it would lead out of the archive."""
    path = PurePosixPath(name)
    return PurePosixPath("/", path) if ".." in path.parts else path
