"""The course's own claims, in files named test_level1_*.py … test_level6_*.py: see docs/instructors.md."""
