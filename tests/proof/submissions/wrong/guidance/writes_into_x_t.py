"""x_t is changed in place, at the end.

Caught by: level6.behaviour.leaves_alone
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    eps = eps_null + w * (eps_y - eps_null)
    x_t -= 0.1 * eps
    return eps
