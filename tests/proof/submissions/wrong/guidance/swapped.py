"""The two answers are swapped.

Caught by: level6.guidance.conditional
Hint: have changed places
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    return eps_y + w * (eps_null - eps_y)
