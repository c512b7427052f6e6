"""Reads the store and tells people: alert rules and the messages that carry them."""
