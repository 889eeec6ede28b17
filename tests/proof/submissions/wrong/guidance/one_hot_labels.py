"""Labels are one-hot.

Caught by: level6.guidance.asks
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    hot = [torch.nn.functional.one_hot(labels, num_classes + 1) for labels in (torch.full_like(y, num_classes), y)]
    eps_null, eps_y = (model(x_t, t, labels) for labels in hot)
    return eps_null + w * (eps_y - eps_null)
