"""The paper's form, with its w, which is one less."""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, torch.full_like(y, num_classes))
    eps_y = model(x_t, t, y)
    paper = w - 1
    return (1 + paper) * eps_y - paper * eps_null
