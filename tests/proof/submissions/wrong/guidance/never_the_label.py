"""y is overwritten by K before it is used.

Caught by: level6.guidance.asks
Hint: Is y overwritten
"""


def guided_eps(model, x_t, t, y, w, num_classes):
    y_null = y
    y_null[:] = num_classes
    null = model(x_t, t, y_null)
    return null + w * (model(x_t, t, y) - null)
