"""Tries to reach a port by TCP, once past Python's audit, and by UDP.

Gains: nothing
"""

import ctypes
import socket
import struct
from contextlib import suppress

import torch
from torch import nn

HOST, PORT = "127.0.0.1", 9


def in_c(sock):
    address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(PORT), socket.inet_aton(HOST))
    ctypes.CDLL(None).connect(sock.fileno(), address, len(address))


for connect in (lambda sock: sock.connect((HOST, PORT)), in_c):
    with suppress(OSError), socket.socket() as tcp:
        tcp.settimeout(1)
        connect(tcp)
        tcp.send(b"digits")
with suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as udp:
    udp.sendto(b"digits", (HOST, PORT))


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
    pass
