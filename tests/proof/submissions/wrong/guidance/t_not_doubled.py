"""t is not doubled with the batch.

Caught by: level6.guidance.asks
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    labels = torch.cat([torch.full_like(y, num_classes), y])
    eps_null, eps_y = model(torch.cat([x_t, x_t]), t, labels).chunk(2)
    return eps_null + w * (eps_y - eps_null)
