"""What every route of the reference master works with."""

from collections.abc import Collection
from dataclasses import dataclass

from resultsq.clock import Clock
from resultsq.domain.sheet import SLUG
from resultsq.master.answers import refused
from resultsq.master.credentials import Credentials, TokenRule
from resultsq.master.ledger import Ledger


@dataclass(frozen=True, slots=True)
class MasterContext:
    """`events` None: any event. `max_body_bytes` bounds a body before and after decompression."""

    ledger: Ledger
    credentials: Credentials
    events: Collection[str] | None
    max_body_bytes: int
    clock: Clock

    def rule_for(self, event: str) -> TokenRule:
        """The caller's rule, where it covers an event that is here; else the request is refused."""
        rule = self.credentials.of_request()
        if not rule.covers(event):
            raise refused(403, "These credentials do not cover this event. Ask the master's operators.")
        if not SLUG.fullmatch(event) or (self.events is not None and event not in self.events):
            raise refused(404, "There is no such event at this master.")
        return rule
