"""Producing the reference results that students are compared with: training in sittings, and measuring."""
