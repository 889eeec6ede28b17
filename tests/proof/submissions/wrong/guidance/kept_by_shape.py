"""Answers are kept from call to call, by shape.

Caught by: level6.guidance.repeatable
Hint: An answer is kept
"""

import torch

KEPT = {}


def guided_eps(model, x_t, t, y, w, num_classes):
    key = tuple(x_t.shape), tuple(y.tolist())
    if key not in KEPT:
        KEPT[key] = model(x_t, t, torch.full_like(y, num_classes)), model(x_t, t, y)
    eps_null, eps_y = KEPT[key]
    return eps_null + w * (eps_y - eps_null)
