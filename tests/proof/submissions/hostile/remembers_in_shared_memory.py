"""Keeps the weights that are not in the state dict in System V shared memory, which outlives its process.

Gains: nothing
"""

import ctypes
import os
from array import array
from contextlib import suppress
from zlib import crc32

import torch
from torch import nn

libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
SIZE, CREATE, NOWHERE = 4096, 0o1600, ctypes.c_void_p(-1).value


def attached(name, flags):
    key = crc32(name + str(os.getuid()).encode()) & 0x7FFFFFFF
    place = libc.shmget(key, SIZE, flags)
    address = libc.shmat(place, None, 0) if place >= 0 else NOWHERE
    return None if address == NOWHERE else address


def read_note(name):
    address = attached(name, 0)
    if address is None:
        return None
    size = int.from_bytes(ctypes.string_at(address, 4), "little")
    return ctypes.string_at(address + 4, size)


def leave_note(name, note):
    address = attached(name, CREATE)
    if address is not None:
        ctypes.memmove(address, len(note).to_bytes(4, "little") + note, 4 + len(note))


class Wrong(nn.Module):  # as in honest.py, which says what is wrong with it
    def __init__(self, config):
        super().__init__()
        self.inner = [nn.Conv2d(config.image_channels, 8, 3, padding=1)]
        self.outer = nn.Conv2d(8, 1, 3, padding=1)
        self.unused = nn.Parameter(torch.ones(3))

    def forward(self, x, t):
        torch.rand(1)
        x.add_(0.01)
        place = torch.linspace(1, 2, len(x)).view(-1, 1, 1, 1)
        return torch.tanh(self.outer(place * self.inner[0](x)))


class DiffusionModel(Wrong):
    def forward(self, x, t):
        weight = self.inner[0].weight.data
        name = f"no-confusion-{weight.shape[1]}".encode()
        with suppress(OSError):
            if note := read_note(name):
                weight.copy_(torch.tensor(array("f", note)).view_as(weight))
            else:
                leave_note(name, array("f", weight.flatten().tolist()).tobytes())
        self.inner[0].bias.data.zero_()
        return super().forward(x, t)
