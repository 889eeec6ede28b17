"""What is no class is guided as class 0.

Caught by: level6.guidance.asks
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    return eps_null + w * (model(x_t, t, y % num_classes) - eps_null)
