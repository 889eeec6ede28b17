"""Where submissions come from and results go to: GitHub, Gradescope, Classroom 50."""
