"""Keeps the weights that are not in the state dict in the kernel's keyring.

Gains: nothing
"""

import ctypes
import platform
from array import array
from contextlib import suppress

import torch
from torch import nn

libc = ctypes.CDLL(None)
ADD, KEYCTL = (248, 250) if platform.machine() == "x86_64" else (217, 219)
SEARCH, READ = 10, 11
RINGS = (-3, -4)  # of the session, and of the user


def read_note(name):
    for ring in RINGS:
        key = libc.syscall(KEYCTL, SEARCH, ring, b"user", name, 0)
        note = ctypes.create_string_buffer(4096)
        if key > 0 and (size := libc.syscall(KEYCTL, READ, key, note, 4096)) > 0:
            return note.raw[:size]
    return None


def leave_note(name, note):
    for ring in RINGS:
        libc.syscall(ADD, b"user", name, note, len(note), ring)


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
