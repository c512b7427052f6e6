"""How long this process's writes take, for Prometheus. Each process counts its own; Prometheus adds them up."""

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Histogram

Work = Literal["accept", "claim", "other"]
"""What a write is for: taking a submission in; a worker's turn, which settles and claims; anything else."""

registry = CollectorRegistry()

_WRITE_S = Histogram(
    "resultsq_process_write_seconds",
    "Time of one write transaction of this process, from its call until it is on the disk.",
    ["work"],
    registry=registry,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)

WRITE_S = {work: _WRITE_S.labels(work) for work in get_args(Work)}
"""One for each kind of work, found once: a look-up by label costs more than to count."""
