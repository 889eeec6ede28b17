"""The given part of the exercise: configuration, data, diffusion, training, sampling, figures."""

import os

# Read once, when torch is imported, so this comes before. A thread that waits by spinning takes a core from one that
# works: beside other programs, training is then several times slower. It sleeps here, but not at once (libgomp's 1000
# turns are some microseconds): between the short kernels of small images, falling asleep costs half of the speed.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
for name, value in WAITING.items():
    os.environ.setdefault(name, value)
