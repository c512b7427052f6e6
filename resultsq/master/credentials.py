"""Who calls: tokens, and which node and events each of them stands for."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import request

from resultsq.master.answers import refused


@dataclass(frozen=True, slots=True)
class TokenRule:
    """Whose credentials a token is (`node`), and for which events it is good (None: for every one). `mail_key`: the key
    by which this node gets hashes of addresses (None: it gets none)."""

    node: str
    events: frozenset[str] | None = None
    mail_key: bytes | None = field(default=None, repr=False)

    def covers(self, event: str) -> bool:
        return self.events is None or event in self.events


class Credentials:
    """The tokens that this master knows."""

    def __init__(self, tokens: Mapping[str, TokenRule]) -> None:
        # Looked up by hash: the time it takes then says nothing of a token that is nearly right.
        self._rules = {_hash(token): rule for token, rule in tokens.items()}

    def of_request(self) -> TokenRule:
        """The rule of the request's token; a token that is missing or unknown is refused with 401."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        rule = self._rules.get(_hash(token.strip())) if scheme.lower() == "bearer" else None
        if rule is None:
            raise refused(
                401,
                "This master does not know these credentials. Check the token in the node's settings.",
                headers={"WWW-Authenticate": 'Bearer realm="results-master"'},
            )
        return rule


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
