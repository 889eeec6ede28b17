"""The course's own claims, in files named test_level1_*.py … test_level5_*.py: see docs/instructors.md."""
