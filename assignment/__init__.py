"""What a student receives: two files to edit, model.py and sampler.py, and the given code in ddpm/."""
