"""Points from stored results after configs/grading.yaml has changed: decided anew, or named to be graded again."""
