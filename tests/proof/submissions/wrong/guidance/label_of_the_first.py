"""The first label for all images.

Caught by: level6.guidance.asks
Waits: level6.guidance.conditional for guidance.asks
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    return eps_null + w * (model(x_t, t, y[:1].expand_as(y)) - eps_null)
