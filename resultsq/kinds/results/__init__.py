"""Results of an event: the join of its files, the checks, corrections, and the sheet."""
