"""One call with the batch twice, no class first."""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([torch.full_like(y, num_classes), y]))
    eps_null, eps_y = both.chunk(2)
    return eps_null + w * (eps_y - eps_null)
