"""How an attempt ended, as its sender reports it to the queue."""

from dataclasses import dataclass

from resultsq.domain.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of the attempt that runs under `lease`.

    :param wait_s: how long a deferred submission waits; None: not at all
    :param wait_for: the reason for that wait: `master`, `link` or `backoff`
    :param rows_digest: the digest of the rows that the master has, after a conflict; None: not readable"""

    lease: str
    seq: int
    duration_s: float
    outcome: Outcome
    wait_s: float | None = None
    wait_for: str | None = None
    rows_digest: str | None = None
