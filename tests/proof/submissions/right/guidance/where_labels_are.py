"""Labels that are no class are asked about once."""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps = model(x_t, t, torch.full_like(y, num_classes)).clone()
    rows = (y < num_classes).nonzero().flatten()
    if len(rows):
        eps[rows] += w * (model(x_t[rows], t[rows], y[rows]) - eps[rows])
    return eps
