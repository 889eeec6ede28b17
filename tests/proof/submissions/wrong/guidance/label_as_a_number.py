"""No class as a plain number.

Caught by: level6.guidance.asks
"""


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_null = model(x_t, t, num_classes)
    return eps_null + w * (model(x_t, t, y) - eps_null)
