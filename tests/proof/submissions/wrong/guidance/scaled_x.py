"""The model sees another x.

Caught by: level6.guidance.asks
Hint: not a scaled
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    x_t = 0.9 * x_t
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    return eps_null + w * (eps_y - eps_null)
