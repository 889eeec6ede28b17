"""Writes answers of its own to the worker's socket, with the right shape and a made-up tensor.

Reported: error at level1.contract.shapes
"""

import contextlib
import json
import os
import socket
import struct

import torch
from torch import nn


def send(head, tensors=b""):
    """To whichever socket this process has."""
    text = json.dumps(head).encode()
    for file in range(3, 21):
        with contextlib.suppress(OSError):
            socket.socket(fileno=os.dup(file)).sendall(struct.pack("!QQ", len(text), len(tensors)) + text + tensors)


def answer(shape):
    numbers = torch.rand(shape).numpy().tobytes()
    head = json.dumps({"y": {"dtype": "F32", "shape": list(shape), "data_offsets": [0, len(numbers)]}}).encode()
    facts = {"type": "Tensor", "shape": list(shape), "dtype": "torch.float32", "device": "cpu", "requires_grad": True}
    send({"values": {**facts, "defaults": [{}, {}]}}, struct.pack("<Q", len(head)) + head + numbers)


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
        answer(x.shape)
        return super().forward(x, t)
