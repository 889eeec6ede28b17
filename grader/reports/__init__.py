"""Results in the forms in which they are read. Nothing imports these but the command lines."""
