"""Hostile: replaces the model's call, and answers in its place.

Caught by: level6.guidance.asks
"""


def guided_eps(model, x_t, t, y, w, num_classes):
    type(model).__call__ = lambda self, x, t, y=None: x
    return model(x_t, t, y)
