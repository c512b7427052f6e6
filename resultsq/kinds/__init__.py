"""What may be queued: one package for each kind, named in one registry. Pure."""
