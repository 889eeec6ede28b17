"""Without num_classes among its arguments.

Caught by: level6.guidance.contract
"""

import torch


def guided_eps(model, x_t, t, y, w):
    eps_null = model(x_t, t, torch.full_like(y, 10))
    return eps_null + w * (model(x_t, t, y) - eps_null)
