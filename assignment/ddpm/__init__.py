"""The given part of the exercise: configuration, data, diffusion, training, sampling, figures."""

import os

# Read once, when torch is imported, so it has to be set before. Threads that wait by spinning take the cores from those
# that work: beside other programs, training is then several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
