"""Labels are dropped here, too, as in training.

Caught by: level6.guidance.repeatable
Hint: labels are dropped in training
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    y = torch.where(torch.rand(y.shape) < 0.1, num_classes, y)
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    return eps_null + w * (eps_y - eps_null)
