"""Class 0 is asked for in place of no class.

Caught by: level6.guidance.asks
Hint: "no class" is num_classes
Waits: level6.guidance.unconditional for guidance.asks
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.zeros_like(y))
    return eps_null + w * (model(x_t, t, y) - eps_null)
