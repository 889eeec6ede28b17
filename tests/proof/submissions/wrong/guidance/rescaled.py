"""Rescaled to the size of the answer with the label (Lin et al. 2023), which is not asked for.

Caught by: level6.guidance.affine
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    eps = eps_null + w * (eps_y - eps_null)
    return eps * (eps_y.std() / eps.std())
