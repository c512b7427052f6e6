"""What people would use instead, each as its documentation tells a careful user, without an end to its retries.

Each module has NAME, NEEDS ("redis" or "postgresql"), WORKER (the command of a worker of 8, after `python -m`),
`prepare` (once, before anything), `send` (enqueue the jobs of a file) and `waits` (seconds from each failure to the
next attempt, by the library's own code). `python -m tests.bench.peers MODULE` prepares, with a FILE of jobs it sends.
"""

NAMES = ("celery", "dramatiq", "huey", "rq", "procrastinate", "pgqueuer", "outbox")
