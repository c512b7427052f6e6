"""Hashes of passwords that cost next to nothing: the product's own take a third of a second of processor time, on
purpose, and so does each that is verified."""

from functools import cache

from argon2 import PasswordHasher

_hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@cache
def hashed(password: str) -> str:
    """What is stored of a password, for tests whose subject is another."""
    return _hasher.hash(password)
