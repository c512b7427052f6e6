"""What Prometheus is shown. All of it is asked of the store, so that every web process shows the same, but for
`resultsq_process_*`: those are this process's own, and Prometheus adds the processes up."""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from flask import current_app
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from resultsq.app.context import AppContext
from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.store.admin import alerts
from resultsq.store.engine import write_metrics
from resultsq.store.outbox import workers
from resultsq.store.views import mail_link, queries, relays, state_counts
from resultsq.store.views.queries import LinkView
from resultsq.store.views.totals import RunningTotals
from resultsq.web.single_flight import PART_OF_A_CORE

LIFE_S = 2.0
"""How old the figures of a scrape may be, however many scrape."""

DELAY_BOUNDS_S = (1, 2, 5, 10, 30, 60, 120, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)
OUTCOMES = ("accepted", "deferred", "rejected", "redirected", "conflict", "unauthorised", "unknown")


class NodeCollector(Collector):
    """What a scrape shows, asked of the store by one thread, no sooner than after LIFE_S seconds, and than twenty times
    as long as it took."""

    def __init__(self, ctx: AppContext) -> None:
        self._ctx = ctx
        self._growing = RunningTotals()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._lock = threading.Lock()
        self._text = b""
        self._good_until = float("-inf")

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        with self._lock:
            began = self._ctx.clock.monotonic()
            if began >= self._good_until:
                self._text = generate_latest(self._registry) + generate_latest(write_metrics.registry)
                took_s = self._ctx.clock.monotonic() - began
                self._good_until = began + took_s + max(LIFE_S, PART_OF_A_CORE * took_s)
            return self._text

    def describe(self) -> list[Metric]:
        return []  # or registering would ask the store

    def collect(self) -> Iterator[Metric]:
        now = self._ctx.clock.now()
        with self._ctx.database.read() as conn:
            counts = state_counts.look(conn)
            status, mail = queries.status(conn, now, counts=counts), mail_link.look(conn, counts)
            at_relays = relays.count_safe(conn)
            grown = self._growing.count(conn, now)
            standing = sum(alert.ended_at is None for alert in alerts.standing(conn))
            alive = [(now - seen_at).total_seconds() for _, _, seen_at in workers.every(conn)]
        states = GaugeMetricFamily("resultsq_submissions", "Submissions in each state.", labels=["state"])
        for state, number in status.counts.items():
            states.add_metric([state], number)
        yield states
        waiting = GaugeMetricFamily("resultsq_waiting", "Submissions that wait, of each kind.", labels=["kind"])
        for kind in sorted({*KINDS, *status.waiting_by_kind}):
            waiting.add_metric([kind], status.waiting_by_kind.get(kind, 0))
        yield waiting
        oldest = status.oldest_waiting_at
        yield GaugeMetricFamily(
            "resultsq_oldest_waiting_seconds",
            "Age of the submission that has waited longest for its publication; 0 where none waits.",
            value=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
        )
        yield CounterMetricFamily(
            "resultsq_accepted", "Submissions accepted since the node began.", value=sum(status.counts.values())
        )
        yield CounterMetricFamily(
            "resultsq_published",
            "Submissions that the master gave a receipt for.",
            value=status.counts[State.PUBLISHED] + status.counts[State.CORRECTED],
        )
        attempts = CounterMetricFamily("resultsq_attempts", "Attempts by how they ended.", labels=["outcome"])
        for outcome in sorted({*OUTCOMES, *grown.attempts}):
            attempts.add_metric([outcome], grown.attempts[outcome])
        yield attempts
        yield _histogram(grown.delays)
        yield from _link(status.link)
        text = "Waiting submissions that a relay has, too."
        yield GaugeMetricFamily("resultsq_at_relays", text, value=at_relays)
        if mail is not None:
            text = "1 while the mail server takes mails."
            yield GaugeMetricFamily("resultsq_mail_link_up", text, value=mail.trouble_since is None)
        yield GaugeMetricFamily("resultsq_holds", "Holds in force.", value=len(status.holds))
        yield GaugeMetricFamily("resultsq_alerts", "Alerts that stand.", value=standing)
        yield GaugeMetricFamily(
            "resultsq_workers", "Workers alive.", value=sum(ago_s <= workers.ALIVE_S for ago_s in alive)
        )
        yield GaugeMetricFamily(
            "resultsq_disk_free_bytes",
            "Room on the data folder's disk.",
            value=shutil.disk_usage(self._ctx.settings.data_dir).free,
        )


def of(ctx: AppContext) -> NodeCollector:
    """The figures of the running application."""
    kept = current_app.extensions.get("resultsq.figures")
    if not isinstance(kept, NodeCollector):
        # two first scrapes at once make two; the later one stays
        kept = current_app.extensions["resultsq.figures"] = NodeCollector(ctx)
    return kept


def _link(link: LinkView | None) -> Iterator[Metric]:
    states = GaugeMetricFamily("resultsq_link", "1 for the state that the link is in.", labels=["state"])
    for state in (*LinkState, Cause.TAKES_NOTHING):
        states.add_metric([state], link is not None and link.word == state)
    yield states
    if link is not None:
        yield GaugeMetricFamily(
            "resultsq_link_since_timestamp_seconds",
            "When the link came into its state, in seconds since 1970.",
            value=link.word_since.timestamp(),
        )
        yield GaugeMetricFamily(
            "resultsq_credentials_refused",
            "1 while the master refuses this node's credentials.",
            value=link.refused_at is not None,
        )
    if link is not None and link.probe_s is not None:
        text = "How long the last answer to a probe took."
        yield GaugeMetricFamily("resultsq_probe_seconds", text, value=link.probe_s)


def _histogram(delays: Counter[int]) -> Metric:
    """`delays` by whole seconds, rounded down: one of 4.9 s is in the bucket up to 5."""
    within = accumulate(
        sum(count for seconds, count in delays.items() if low <= seconds < high)
        for low, high in zip((0, *DELAY_BOUNDS_S), DELAY_BOUNDS_S, strict=False)
    )
    buckets = [(str(float(bound)), float(total)) for bound, total in zip(DELAY_BOUNDS_S, within, strict=True)]
    return HistogramMetricFamily(
        "resultsq_delay_seconds",
        "From acceptance to publication, of all that was ever published.",
        buckets=[*buckets, ("+Inf", float(delays.total()))],
        sum_value=float(sum(seconds * count for seconds, count in delays.items())),
    )
