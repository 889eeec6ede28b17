"""Asks the model again and again.

Caught by: level6.guidance.contract
"""


def guided_eps(model, x_t, t, y, w, num_classes):
    while True:
        model(x_t, t, y)
