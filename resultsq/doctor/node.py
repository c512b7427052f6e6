"""The parts of a node that are its own: database, disk, queue, workers and broker."""

from datetime import timedelta

import redis
from sqlalchemy import text

from resultsq import disk, pooler
from resultsq.doctor.finding import CheckTarget, Findings, Level, in_words
from resultsq.domain.errors import StoreFull, StoreUnavailable
from resultsq.domain.submission import State
from resultsq.sqlite import wal_is_safe
from resultsq.store.admin import mending
from resultsq.store.engine import migrate, write_check
from resultsq.store.engine.db_errors import driver_message
from resultsq.store.outbox import workers
from resultsq.store.views import queries

BROKER_S = 2.0
INODES_LOW = 1_000


def check_store(target: CheckTarget) -> Findings:
    database = target.database
    if (nowhere := migrate.no_node_in(database, target.settings.data_dir)) is not None:
        yield Level.BAD, nowhere
        return
    try:
        database.write(write_check.check_writable)
    except StoreFull as error:
        yield Level.BAD, f"{error.cause} Nothing is accepted until there is room; what was accepted is safe."
        return
    except StoreUnavailable as error:
        if error.cause == pooler.STATEMENT_MODE:  # no outage that ends: this can never work
            yield Level.BAD, error.cause
            return
        yield (
            Level.BAD,
            f"{error.cause} Nothing is accepted until this ends; what was accepted is safe. Look at "
            f"{'the disk' if database.is_sqlite else 'its server'} and at RESULTSQ_DATABASE_URL. "
            f"({driver_message(error.__cause__)})",
        )
        return
    with database.read() as conn:
        if not database.is_sqlite:
            server = conn.execute(text("SHOW server_version")).scalar_one()
            between = ", through a pooler" if pooler.is_pooled(conn.connection) else ""
            yield Level.OK, f"PostgreSQL {server} takes writes{between}."
            return
        mode = str(conn.exec_driver_sql("PRAGMA journal_mode").scalar_one()).lower()
        version = str(conn.exec_driver_sql("SELECT sqlite_version()").scalar_one())
    if mode == "wal" and not wal_is_safe(tuple(map(int, version.split(".")))):
        yield (
            Level.BAD,
            f"SQLite {version} can lose committed results in WAL mode, which this database is in. "
            "Install the package pysqlite3, or stop every process of the node and start it again.",
        )
        return
    yield Level.OK, f"SQLite {version} takes writes, in journal mode {mode}."


def check_schema(target: CheckTarget) -> Findings:
    found, needed = migrate.current(target.database), migrate.newest()
    if found == needed:
        yield Level.OK, f"The schema is at revision {found}, as this version needs."
    elif migrate.is_behind(found):
        yield Level.BAD, f"The schema is at revision {found or 'none'}, {needed} is needed. Run `resultsq db upgrade`."
    else:
        yield (
            Level.WARN,
            f"The schema is at revision {found}, a newer version's; this one goes on with it. Upgrade this one too.",
        )


def check_disk(target: CheckTarget) -> Findings:
    settings = target.settings
    folder = disk.nearest(settings.data_dir)
    if (trouble := disk.write_trouble(folder)) is not None:
        yield Level.BAD, f"Nothing can be written in {folder}: {trouble}. What was accepted is safe."
        return
    left = disk.space(folder)
    free, room = left.bytes, f"{left.bytes / 2**20:,.0f} MiB are free on the disk of {settings.data_dir}"
    if left.inodes is not None and left.inodes < INODES_LOW:
        yield Level.WARN, f"Only {left.inodes} more files fit on the disk of {settings.data_dir}. Remove some."
    elif free < 2 * settings.max_body_bytes:
        yield Level.BAD, f"Only {room}: nothing more can be accepted. Make room; what was accepted is safe."
    elif free < settings.disk_low_bytes:
        yield Level.WARN, f"Only {room}. Make room before submissions are refused."
    else:
        yield Level.OK, f"{room}."


def check_queue(target: CheckTarget) -> Findings:
    now = target.clock.now()
    with target.database.read() as conn:
        status = queries.status(conn, now)
    if status.oldest_waiting_at is None:
        yield Level.OK, "Nothing waits for its publication."
    else:
        waited = now - status.oldest_waiting_at
        long = waited > timedelta(minutes=target.settings.alert_oldest_waiting_min)
        yield (
            Level.WARN if long else Level.OK,
            f"{status.to_send} wait for their publication{f' and {status.held} on hold' if status.held else ''}, "
            f"the oldest for {in_words(waited)}.",
        )
    for hold in status.holds:
        yield Level.WARN, f"A hold is in force ({hold.scope} {hold.event or ''}): {hold.reason}".replace(" )", ")")
    stuck = status.counts[State.REJECTED] + status.counts[State.CONFLICT]
    if stuck:
        yield (
            Level.WARN,
            f"{status.counts[State.REJECTED]} rejected and {status.counts[State.CONFLICT]} in conflict wait for a "
            "person: look at them on the dashboard.",
        )


def check_rows(target: CheckTarget) -> Findings:
    with target.database.read() as conn:
        damaged = list(mending.damage(conn, target.clock.now()))
    for one in damaged:
        way_out = " Nothing is lost: `resultsq doctor --mend` mends this." if one.mendable else ""
        yield Level.BAD if one.stops else Level.WARN, one.sentence + way_out
    if not damaged:
        yield Level.OK, "Each version that waits will have its turn."


def check_broker(target: CheckTarget) -> Findings:
    url = target.settings.broker_url.get_secret_value()
    bundled = target.settings.data_dir / "broker" / "valkey.sock"
    if not url and not bundled.exists():
        yield Level.OK, "No broker is set. None is needed: workers look into the database by themselves."
        return
    url = url.replace("redis+socket://", "unix://") if url else f"unix://{bundled}"
    try:
        with redis.Redis.from_url(url, socket_timeout=BROKER_S, socket_connect_timeout=BROKER_S, retry=None) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError):
        yield (
            Level.WARN,
            "The broker does not answer. Results are accepted and published all the same, up to a few seconds "
            "later; start the broker again, or look at RESULTSQ_BROKER_URL.",
        )
    else:
        yield Level.OK, "The broker answers."


def check_watch(target: CheckTarget) -> Findings:
    settings = target.settings
    if settings.alert_channels or settings.heartbeat_url.get_secret_value():
        yield Level.OK, "Alerts reach people, or a dead-man service listens for this node."
    else:
        yield (
            Level.WARN,
            "Alerts of this node reach nobody. Set RESULTSQ_ALERT_MAIL_TO or RESULTSQ_ALERT_WEBHOOK_URL, and "
            "RESULTSQ_HEARTBEAT_URL so that a dead-man service notices when the node itself is gone.",
        )


def check_workers(target: CheckTarget) -> Findings:
    now = target.clock.now()
    with target.database.read() as conn:
        seen = {name: now - seen_at for name, _, seen_at in workers.every(conn)}
    living = [name for name, ago in seen.items() if ago.total_seconds() <= workers.ALIVE_S]
    if living:
        yield Level.OK, f"{len(living)} alive: {', '.join(living)}."
    else:
        yield (
            Level.BAD,
            "No worker is alive: results are accepted and safe, but none is published. Start `resultsq worker`.",
        )
    for name, ago in seen.items():
        if name not in living:
            yield (
                Level.WARN,
                f"{name} ended without a word {in_words(ago)} ago; another takes over what it had in hand.",
            )
