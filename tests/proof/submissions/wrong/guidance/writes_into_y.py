"""y is filled with K in place, at the end.

Caught by: level6.behaviour.leaves_alone
Hint: y[…] = num_classes
"""


def guided_eps(model, x_t, t, y, w, num_classes):
    eps_y = model(x_t, t, y)
    eps_null = model(x_t, t, y.fill_(num_classes))
    return eps_null + w * (eps_y - eps_null)
