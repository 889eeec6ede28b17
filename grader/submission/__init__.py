"""The judge's handle on a submission: its files, the process that runs it, and the sandbox around that."""
