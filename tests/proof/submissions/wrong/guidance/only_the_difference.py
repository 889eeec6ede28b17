"""w times the difference.

Caught by: level6.guidance.unconditional
Hint: eps_null is missing in front
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    return w * (eps_y - eps_null)
