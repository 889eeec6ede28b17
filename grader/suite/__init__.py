"""The grader as a plugin of pytest: options, fixtures, and how an outcome becomes a verdict."""
