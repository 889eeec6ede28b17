"""What shares a process with a submission, and all of grader/ that the sandbox shows it; nothing of the judge's."""
