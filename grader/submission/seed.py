"""The seed of the judge's inputs: public for students, secret where points count."""

import hashlib
import hmac
import secrets
from pathlib import Path

from assignment.ddpm.errors import UserError
from grader.submission.sources import read_sources

PUBLIC = 0
DRAW = "draw"


def choose_seed(submission: Path, given: int | None, secret: str | None) -> tuple[int, str]:
    """The seed, and in a word where it comes from.

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
        return given, "given"
    if secret is None:
        return PUBLIC, "public"
    if secret == DRAW:
        return secrets.randbits(63), "drawn"
    try:
        key = Path(secret).read_bytes()
    except OSError as error:
        raise UserError(
            f"--secret-seed={secret}: {error.strerror}; expected `{DRAW}` or a file with a secret"
        ) from error
    if len(key) < 16:
        raise UserError(f"--secret-seed={secret}: a secret of {len(key)} bytes; expected at least 16")
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for name, source in sorted(read_sources(submission).items()):
        digest.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(source).digest())
    return int.from_bytes(digest.digest()[:8], "big") >> 1, "from a secret"
