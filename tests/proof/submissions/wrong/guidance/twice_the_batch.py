"""Both halves come back.

Caught by: level6.guidance.contract
Hint: take the two answers apart
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([torch.full_like(y, num_classes), y]))
    null, own = both.chunk(2)
    return torch.cat([null, null + w * (own - null)])
