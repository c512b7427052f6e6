"""A runner's wish that the master mails the barcode."""
