"""Ten is hard-coded as the label of no class.

Caught by: level6.guidance.asks
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, 10))
    return eps_null + w * (model(x_t, t, y) - eps_null)
