"""Hostile: ends the process.

Caught by: level6.guidance.contract
"""

import os


def guided_eps(model, x_t, t, y, w, num_classes):
    os._exit(0)
