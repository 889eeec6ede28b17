"""Files in an archive, a zip or tar, read one after another without unpacking it to disk.

An archive may be hostile: links are not followed, paths are only names, and what it claims to hold is read sparingly.
"""

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any, cast

from assignment.ddpm.errors import UserError

COMPRESSED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open,
}  # fmt: skip
NO_READER = {b"Rar!": "RAR", b"7z\xbc\xaf": "7z", b"\x28\xb5\x2f\xfd": "Zstandard"}  # in the standard library
NO_TEXT = (b"PK\3\4", b"\x1f\x8b", *NO_READER)  # how archives begin, and documents of Office
SPARING = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA}  # of bzip2 zipfile unpacks gigabytes at once

MOST_UNPACKED = 1 << 30  # bytes of a compressed tar, which can only be read from its start
MOST_AT_ONCE = 16 << 20  # bytes of the list of a zip's files, or of one header of a tar

LINK = "{} is a link; hand in the file itself"
Open = Callable[[], IO[bytes]]  # a file's content; raises whatever its archive does


class TooLong(ValueError):
    """Ends the search in one archive, of which the rest is not looked at."""


class _Sparing:
    """A file of which nobody reads much at a time: it is the archive that says how much there is to read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.tell = file, file.tell

    def read(self, size: int = -1) -> bytes:
        content = self.file.read(size if 0 <= size <= MOST_AT_ONCE else MOST_AT_ONCE + 1)
        if len(content) > MOST_AT_ONCE:
            raise TooLong(f"more than {MOST_AT_ONCE >> 20} MiB of it are names")
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def seekable(self) -> bool:
        return True


class _Unpacked(_Sparing):
    """What a compressed file unpacks to, as far as that is within reason."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if offset > MOST_UNPACKED:
            raise TooLong(f"it unpacks to more than {MOST_UNPACKED >> 30} GiB")
        return super().seek(offset, whence)

    def to_the_end(self) -> None:
        """Where the checksum is, which tarfile does not look at."""
        while self.file.read(1 << 20):
            self.seek(self.tell())  # within reason


def members(file: IO[bytes]) -> Iterator[tuple[PurePosixPath, Open]]:
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


def _members_of_zip(file: _Sparing) -> Iterator[tuple[PurePosixPath, Open]]:
    with zipfile.ZipFile(cast(IO[bytes], file)) as archive:
        for member in archive.infolist():
            if member.filename and not member.is_dir():
                yield _path(member.filename.replace("\\", "/")), partial(_open_zipped, archive, member)


def _open_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UserError(LINK.format(member.filename))
    if member.flag_bits & 1:
        raise ValueError("it needs a password; pack it without")
    if member.compress_type not in SPARING:
        raise ValueError("packed by neither Deflate nor LZMA; pack it as an ordinary zip")
    return archive.open(member)


def _members_of_tar(file: _Sparing) -> Iterator[tuple[PurePosixPath, Open]]:
    with tarfile.open(fileobj=cast(IO[bytes], file), mode="r:") as archive:
        for member in archive:
            if not member.isdir():
                yield _path(member.name), partial(_open_tarred, archive, member)


def _open_tarred(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    opened = archive.extractfile(member) if member.isreg() else None
    if opened is None:
        is_link = member.issym() or member.islnk()
        raise UserError(LINK.format(member.name) if is_link else f"{member.name} is no regular file")
    return opened


def _path(name: str) -> PurePosixPath:
    """As an archive has it, without `./`; absolute if it would lead out of the archive."""
    path = PurePosixPath(name)
    return PurePosixPath("/", path) if ".." in path.parts else path
