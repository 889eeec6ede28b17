"""w is kept from falling below 0.

Caught by: level6.guidance.affine
Hint: below 0 too
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    return eps_null + max(w, 0.0) * (eps_y - eps_null)
