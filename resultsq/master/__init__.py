"""The reference master: the far side of the upload contract, over one ledger in a database."""
