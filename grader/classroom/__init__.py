"""Many submissions: found in whatever form a platform exports them, graded on this machine or on Slurm, summed up."""
