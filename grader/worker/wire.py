"""Messages between judge and worker: a JSON head and named tensors as safetensors. Nothing is ever unpickled.

| length of head, 8 bytes | length of tensors, 8 bytes | head | tensors |
"""

import json
import struct
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

PREFIX = struct.Struct("!QQ")
MAX_HEAD = 4 << 20  # bytes; checked before a worker's answer is read
MAX_TENSORS = 1 << 30


class WireError(Exception):
    """What arrived is not a valid message."""


def pack(head: dict[str, Any], tensors: dict[str, Tensor]) -> bytes:
    # cloned, as safetensors refuses tensors that share memory, and a network may return its input
    apart = {k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}
    blob = safetensors.torch.save(apart) if tensors else b""
    text = json.dumps(head).encode()
    return PREFIX.pack(len(text), len(blob)) + text + blob


def lengths(prefix: bytes) -> tuple[int, int]:
    """Lengths of head and tensors. Raises WireError if they are too large."""
    head, tensors = PREFIX.unpack(prefix)
    if head > MAX_HEAD or tensors > MAX_TENSORS:
        raise WireError(f"a message of {head + tensors:,} bytes")
    return head, tensors


def unpack(head: bytes, blob: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Head and tensors of a message. Raises WireError if either part is invalid."""
    try:
        # once more through UTF-8: JSON can hold lone surrogates, which neither files nor terminals accept
        values = json.loads(json.dumps(json.loads(head), ensure_ascii=False).encode("utf-8", "replace"))
        tensors = safetensors.torch.load(blob) if blob else {}
    except Exception as error:  # both readers raise almost any exception on forged bytes
        raise WireError(f"an unreadable message: {error}") from error
    if not isinstance(values, dict):
        raise WireError(f"a head that is {type(values).__name__}, not an object")
    return values, tensors
