"""Sends its weights to whoever listens at this machine's sockets, and asks there for earlier ones.

Gains: nothing
"""

import socket
from array import array
from contextlib import suppress

import torch
from torch import nn

held = []


def read_note(name):
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(1)
        line.connect(b"\0" + name)
        return line.recv(4096)


def leave_note(name, note):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b"\0" + name)
    listener.listen()
    held.append(listener)


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
            note = None
            with suppress(OSError):
                note = read_note(name)
            if note:
                weight.copy_(torch.tensor(array("f", note)).view_as(weight))
            else:
                leave_note(name, array("f", weight.flatten().tolist()).tobytes())
        self.inner[0].bias.data.zero_()
        return super().forward(x, t)
