"""Labels count from 1.

Caught by: level6.guidance.asks
Hint: Labels count from 0
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    return eps_null + w * (model(x_t, t, y + 1) - eps_null)
