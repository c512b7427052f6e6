"""A runner who registers."""
