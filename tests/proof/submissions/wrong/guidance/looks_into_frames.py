"""Hostile: looks for the judge's numbers in other stack frames.

Caught by: level6.own_work
"""

import sys

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    frame = sys._getframe(1)
    while frame:
        if "answers" in frame.f_locals:
            return frame.f_locals["answers"]
        frame = frame.f_back
    null = model(x_t, t, torch.full_like(y, num_classes))
    return null + w * (model(x_t, t, y) - null)
