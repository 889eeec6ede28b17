"""Measurements behind the project's claims and defaults: `make bench`, and `python -m tests.bench.ema`."""
