"""Random numbers that depend on what they are for, not on what was drawn before.

Each step, epoch and batch seeds itself by its own number, so a resumed run needs no stored generator state.
"""

import hashlib


def derive_seed(*purpose: int | str) -> int:
    """A 63-bit seed for, say, ("step", seed, 1200). Unlike seed + 1200, it collides with no other purpose."""
    # Not hash(): Python salts the hashes of strings differently in each process.
    digest = hashlib.blake2b(repr(purpose).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # 64 bits → 63, which fit into a signed integer wherever seeds go
