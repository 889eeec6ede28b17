"""One image and one label at a time."""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    found = []
    for i in range(len(y)):
        part = slice(i, i + 1)
        null = model(x_t[part], t[part], y[part] * 0 + num_classes)
        found.append(null + w * (model(x_t[part], t[part], y[part]) - null))
    return torch.cat(found)
