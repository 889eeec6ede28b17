"""Guided at large t only.

Caught by: level6.guidance.unconditional
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    w = (t > 300).float().view(-1, 1, 1, 1) * (w - 1) + 1
    return eps_null + w * (eps_y - eps_null)
