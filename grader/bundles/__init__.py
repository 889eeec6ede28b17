"""Bundles for others: the students' copy, and the grader for platforms."""
