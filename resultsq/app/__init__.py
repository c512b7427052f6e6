"""Use cases: the same functions behind the web, the API and the command line. No Flask is known here."""
