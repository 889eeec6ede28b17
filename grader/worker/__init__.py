"""Code that shares a process with a submission: all of grader/ that the sandbox shows, and nothing of the judge's."""
