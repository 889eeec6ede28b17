"""Many submissions: found as a platform exports them, graded on this machine or on Slurm, and summarised."""
