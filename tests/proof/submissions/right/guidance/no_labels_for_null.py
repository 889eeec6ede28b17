"""No class is asked for by leaving labels out."""


def guided_eps(model, x_t, t, y, w, num_classes):
    null = model(x_t, t)
    return null + w * (model(x_t, t, y) - null)
