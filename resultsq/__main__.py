"""`python -m resultsq` is the command line."""

from resultsq.cli import main

main()
