"""Is the grader right? Submissions, trainings and images of which the verdict is known, judged by the hundred."""
