"""Alembic's folder: one module a revision in versions/, none ever edited after its release."""
