"""`resultsq up`: the processes of one machine, watched and brought back."""
