"""Half of w.

Caught by: level6.guidance.conditional
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    return eps_null + w / 2 * (eps_y - eps_null)
