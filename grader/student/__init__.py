"""A student's network and sampler as the checks call them, untrained and trained, and how long they may take."""
