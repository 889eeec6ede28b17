"""Divided by the size of the difference, which may be zero.

Caught by: level6.guidance.null_label
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    step = eps_y - eps_null
    return eps_null + w * step * (step.norm() / step.norm())
