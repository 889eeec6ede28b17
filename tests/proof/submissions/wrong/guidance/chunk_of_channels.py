"""The answers are divided along the channels.

Caught by: level6.guidance.contract
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([torch.full_like(y, num_classes), y]))
    null, own = both.chunk(2, dim=2)
    return null + w * (own - null)
