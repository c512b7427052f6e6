"""resultsq: an outage of the master delays results, it never blocks them."""
