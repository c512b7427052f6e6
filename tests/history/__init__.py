"""Judges what happened on a morning by what everybody saw, and imports nothing of the product."""
