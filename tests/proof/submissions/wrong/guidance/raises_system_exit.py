"""Hostile: raises SystemExit, which no `except Exception` catches.

Caught by: level6.guidance.contract
"""


def guided_eps(model, x_t, t, y, w, num_classes):
    raise SystemExit(0)
