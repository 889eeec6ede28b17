"""At w = 0 and w = 1 one answer is enough."""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    if w == 1:
        return model(x_t, t, y)
    null = model(x_t, t, torch.full_like(y, num_classes))
    if w == 0:
        return null
    return null + w * (model(x_t, t, y) - null)
