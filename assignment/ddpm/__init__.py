"""The given part of the exercise: configuration, data, diffusion, training, sampling, figures."""
