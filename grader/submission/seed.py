"""The seed of the judge's inputs: public for students, secret where points count."""

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import NamedTuple

from assignment.ddpm.errors import UserError
from grader.errors import file_meant
from grader.submission.sources import read_sources

PUBLIC = 0
DRAW = "draw"
FROM_SECRET = "from a secret"
SHARED = b"what all submissions of a class get alike"


class Seed(NamedTuple):
    """Where the judge's inputs come from."""

    number: int  # of this submission's
    origin: str  # in a few words: public, given, drawn, from a secret
    shared: bytes  # a key for what all submissions with this secret get alike, or else this seed; empty if it's public


def choose_seed(submission: Path, given: int | None, secret: str | None) -> Seed:
    """The seed of a submission.

    Args:
        given: the seed itself, or None
        secret: `draw` for a fresh one, or the path of a file. The file's content and the submission determine a seed
            that nobody can predict, different for each submission, and the same when it is graded again.
    Raises:
        UserError: both are given, or the file can't be read or is too short to be a secret
    """
    if given is not None and secret is not None:
        raise UserError("--seed and --secret-seed: expected one of them")
    if given is not None:
        if not 0 <= given < 2**63:
            raise UserError(f"--seed {given}: expected at least 0, and below 2^63")
        return Seed(given, "given", _own(given))
    if secret is None:
        return Seed(PUBLIC, "public", _own(PUBLIC))
    if secret == DRAW:
        drawn = secrets.randbits(63)
        return Seed(drawn, "drawn", _own(drawn))
    key = read_secret(secret, expected=f"`{DRAW}` or a file")
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for name, source in sorted(read_sources(submission).items()):
        digest.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(source).digest())
    number = int.from_bytes(digest.digest()[:8], "big") >> 1
    # seeds are published with results; the secret can't be found from them, nor what others get
    return Seed(number, FROM_SECRET, hmac.digest(key, SHARED, "sha256"))


def _own(number: int) -> bytes:
    return b"" if number == PUBLIC else hmac.digest(number.to_bytes(8, "big"), SHARED, "sha256")


def read_secret(file: str, expected: str = "a file with a secret") -> bytes:
    """Raises UserError if it can't be read, or is too short to be a secret."""
    try:
        key = Path(file).read_bytes()
    except OSError as error:
        says = f"--secret-seed={file}: {error.strerror}; expected {expected}{file_meant(Path(file))}"
        raise UserError(says) from error
    if len(key) < 16:
        raise UserError(f"--secret-seed={file}: a secret of {len(key)} bytes; expected at least 16")
    return key
