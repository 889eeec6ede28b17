"""The paper's own w: 0 is conditional.

Caught by: level6.guidance.unconditional
Hint: Ho & Salimans' own w
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    return (1 + w) * eps_y - w * eps_null
