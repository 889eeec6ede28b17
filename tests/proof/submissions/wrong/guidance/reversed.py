"""The answers come back in reverse order.

Caught by: level6.guidance.own_label
Waits: level6.guidance.unconditional for guidance.own_label
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    return (eps_null + w * (eps_y - eps_null)).flip(0)
