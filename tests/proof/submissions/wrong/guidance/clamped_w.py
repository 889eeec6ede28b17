"""w is clamped to [0, 1].

Caught by: level6.guidance.affine
Hint: may be above 1
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    w = min(max(w, 0.0), 1.0)
    return eps_null + w * (eps_y - eps_null)
