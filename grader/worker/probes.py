"""Probes run beside the student's code: they do what the judge asks, and return tensors and events, never a verdict."""

from grader.worker import guidance_probes, network_probes, sampler_probes  # noqa: F401  (each adds its own)
from grader.worker.session import PROBES

__all__ = ["PROBES"]
