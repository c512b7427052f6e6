"""A team's message to the office."""
