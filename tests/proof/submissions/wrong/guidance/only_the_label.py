"""w times the answer with the label.

Caught by: level6.guidance.unconditional
"""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    return w * model(x_t, t, y) + 0 * model(x_t, t, torch.full_like(y, num_classes))
