"""w is not used.

Caught by: level6.guidance.asks
Hint: Both answers are needed
"""


def guided_eps(model, x_t, t, y, w, num_classes):
    return model(x_t, t, y)
