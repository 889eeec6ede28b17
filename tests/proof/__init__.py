"""Is the grader right? Hundreds of submissions, trainings and images with a known verdict are judged."""
