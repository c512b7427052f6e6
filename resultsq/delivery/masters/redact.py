"""Keeps the token out of stored answers: a proxy may echo the request that carried it.

An echo may write a character in another way, as pages, JSON and URLs do; each of these is known.
"""

import re
from functools import lru_cache
from html.entities import codepoint2name

HIDDEN = "(hidden)"
_SHORTEST = 4  # a shorter one is no secret, and stands in every other word
_MARKS = ("\\", "%", "&")


class Redactor:
    """Replaces a secret wherever it stands."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.lower() if len(secret) >= _SHORTEST else ""
        pattern = "".join(map(_spellings, self._secret))
        self._in_text = re.compile(pattern, re.IGNORECASE)
        self._in_bytes = re.compile(pattern.encode(), re.IGNORECASE)

    def text(self, value: str) -> str:
        return self._in_text.sub(HIDDEN, value) if self._may_be_in(value) else value

    def data(self, value: bytes) -> bytes:
        # as latin-1 each byte stays one character
        return self._in_bytes.sub(HIDDEN.encode(), value) if self._may_be_in(value.decode("latin-1")) else value

    def _may_be_in(self, value: str) -> bool:
        """A quick look, for nearly all answers hold nothing of the kind."""
        return bool(self._secret) and (self._secret in value.lower() or any(mark in value for mark in _MARKS))


@lru_cache(8)
def redactor(authorization: str) -> Redactor:
    """The one for what an Authorization header carries."""
    return Redactor(authorization.partition(" ")[2])


def _spellings(character: str) -> str:
    """A pattern of all the ways in which an echo may write it, in either case."""
    ways: list[str] = []
    for one in {character.lower(), character.upper()}:
        code = ord(one)
        ways += [rf"\\u{code:04x}", "".join(f"%{byte:02x}" for byte in one.encode()), f"&#0*{code};", f"&#x0*{code:x};"]
        ways += [f"&{codepoint2name[code]};"] if code in codepoint2name else []
    ways.append(rf"\\?{re.escape(character)}")  # last, for it is the beginning of others
    return f"(?:{'|'.join(ways)})"
