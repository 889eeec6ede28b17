"""Results in the formats in which they are read. Only the command lines import these."""
