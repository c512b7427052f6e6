"""The parts of a node that are its own: database, disk, queue, workers and broker."""

from datetime import timedelta

import redis
from sqlalchemy import text

from resultsq import disk, pooler
from resultsq.doctor.finding import CheckTarget, Findings, Level, in_words
from resultsq.domain import cldr
from resultsq.domain.errors import StoreFull, StoreUnavailable
from resultsq.domain.i18n import gettext, ngettext, retold
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
        yield (
            Level.BAD,
            gettext(
                "{reason} Nothing is accepted until there is room; what was accepted is safe.",
                reason=retold(error.cause),
            ),
        )
        return
    except StoreUnavailable as error:
        if error.cause == pooler.STATEMENT_MODE:  # no outage that ends: this can never work
            yield Level.BAD, retold(error.cause)
            return
        safe = gettext("Nothing is accepted until this ends; what was accepted is safe.")
        if database.is_sqlite:
            look = gettext("Look at the disk and at RESULTSQ_DATABASE_URL.")
        else:
            look = gettext("Look at its server and at RESULTSQ_DATABASE_URL.")
        yield Level.BAD, f"{retold(error.cause)} {safe} {look} ({driver_message(error.__cause__)})"
        return
    with database.read() as conn:
        if not database.is_sqlite:
            server = conn.execute(text("SHOW server_version")).scalar_one()
            if pooler.is_pooled(conn.connection):
                yield Level.OK, gettext("PostgreSQL {version} takes writes, through a pooler.", version=server)
            else:
                yield Level.OK, gettext("PostgreSQL {version} takes writes.", version=server)
            return
        mode = str(conn.exec_driver_sql("PRAGMA journal_mode").scalar_one()).lower()
        version = str(conn.exec_driver_sql("SELECT sqlite_version()").scalar_one())
    if mode == "wal" and not wal_is_safe(tuple(map(int, version.split(".")))):
        yield (
            Level.BAD,
            gettext(
                "SQLite {version} can lose committed results in WAL mode, which this database is in. "
                "Install the package pysqlite3, or stop every process of the node and start it again.",
                version=version,
            ),
        )
        return
    yield (
        Level.OK,
        gettext("SQLite {version} takes writes, in journal mode {mode}.", version=version, mode=mode),
    )


def check_schema(target: CheckTarget) -> Findings:
    found, needed = migrate.current(target.database), migrate.newest()
    if found == needed:
        yield Level.OK, gettext("The schema is at revision {revision}, as this version needs.", revision=found)
    elif migrate.is_behind(found):
        behind = gettext(
            "The schema is at revision {revision}, {needed} is needed. Run `resultsq db upgrade`.",
            revision=found or gettext("none"),
            needed=needed,
        )
        yield Level.BAD, behind
    else:
        yield (
            Level.WARN,
            gettext(
                "The schema is at revision {revision}, a newer version's; this one goes on with it. "
                "Upgrade this one too.",
                revision=found,
            ),
        )


def check_disk(target: CheckTarget) -> Findings:
    settings = target.settings
    folder = disk.nearest(settings.data_dir)
    if (trouble := disk.write_trouble(folder)) is not None:
        why = gettext(
            "Nothing can be written in {folder}: {reason}. What was accepted is safe.",
            folder=folder,
            reason=retold(trouble),
        )
        yield Level.BAD, why
        return
    left = disk.space(folder)
    room = {"number": cldr.number(left.bytes / 2**20), "folder": settings.data_dir}
    if left.inodes is not None and left.inodes < INODES_LOW:
        few = gettext(
            "Only {number} more files fit on the disk of {folder}. Remove some.",
            number=cldr.number(left.inodes),
            folder=settings.data_dir,
        )
        yield Level.WARN, few
    elif left.bytes < 2 * settings.max_body_bytes:
        full = gettext(
            "Only {number} MiB are free on the disk of {folder}: nothing more can be accepted. Make room; what was "
            "accepted is safe.",
            **room,
        )
        yield Level.BAD, full
    elif left.bytes < settings.disk_low_bytes:
        little = gettext(
            "Only {number} MiB are free on the disk of {folder}. Make room before submissions are refused.", **room
        )
        yield Level.WARN, little
    else:
        yield Level.OK, gettext("{number} MiB are free on the disk of {folder}.", **room)


def check_queue(target: CheckTarget) -> Findings:
    now = target.clock.now()
    with target.database.read() as conn:
        status = queries.status(conn, now)
    if status.oldest_waiting_at is None:
        yield Level.OK, gettext("Nothing waits for its publication.")
    else:
        waited = now - status.oldest_waiting_at
        long = waited > timedelta(minutes=target.settings.alert_oldest_waiting_min)
        said = ngettext(
            "{number} waits for its publication, for {time}.",
            "{number} wait for their publication, the oldest for {time}.",
            status.to_send,
            time=in_words(waited),
        )
        held = ngettext("{number} is on hold.", "{number} are on hold.", status.held)
        yield Level.WARN if long else Level.OK, f"{said} {held}" if status.held else said
    for hold in status.holds:
        what = " ".join((gettext(hold.scope), hold.event or "")).rstrip()
        yield Level.WARN, gettext("A hold is in force ({what}): {reason}", what=what, reason=hold.reason)
    stuck = status.counts[State.REJECTED] + status.counts[State.CONFLICT]
    if stuck:
        yield (
            Level.WARN,
            gettext(
                "{rejected} rejected and {conflict} in conflict wait for a person: look at them on the dashboard.",
                rejected=cldr.number(status.counts[State.REJECTED]),
                conflict=cldr.number(status.counts[State.CONFLICT]),
            ),
        )


def check_rows(target: CheckTarget) -> Findings:
    with target.database.read() as conn:
        damaged = list(mending.damage(conn, target.clock.now()))
    for one in damaged:
        way_out = gettext("Nothing is lost: `resultsq doctor --mend` mends this.")
        yield (
            Level.BAD if one.stops else Level.WARN,
            f"{one.sentence} {way_out}" if one.mendable else one.sentence,
        )
    if not damaged:
        yield Level.OK, gettext("Each version that waits will have its turn.")


def check_broker(target: CheckTarget) -> Findings:
    url = target.settings.broker_url.get_secret_value()
    bundled = target.settings.data_dir / "broker" / "valkey.sock"
    if not url and not bundled.exists():
        yield Level.OK, gettext("No broker is set. None is needed: workers look into the database on their own.")
        return
    url = url.replace("redis+socket://", "unix://") if url else f"unix://{bundled}"
    try:
        with redis.Redis.from_url(url, socket_timeout=BROKER_S, socket_connect_timeout=BROKER_S, retry=None) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError):
        yield (
            Level.WARN,
            gettext(
                "The broker does not answer. Results are accepted and published all the same, up to a few seconds "
                "later; start the broker again, or look at RESULTSQ_BROKER_URL."
            ),
        )
    else:
        yield Level.OK, gettext("The broker answers.")


def check_watch(target: CheckTarget) -> Findings:
    settings = target.settings
    if settings.alert_channels or settings.heartbeat_url.get_secret_value():
        yield Level.OK, gettext("Alerts reach people, or a dead-man service listens for this node.")
    else:
        yield (
            Level.WARN,
            gettext(
                "Alerts of this node reach nobody. Set RESULTSQ_ALERT_MAIL_TO or RESULTSQ_ALERT_WEBHOOK_URL, and "
                "RESULTSQ_HEARTBEAT_URL so that a dead-man service notices when the node itself is gone."
            ),
        )


def check_workers(target: CheckTarget) -> Findings:
    now = target.clock.now()
    with target.database.read() as conn:
        seen = {name: now - seen_at for name, _, seen_at in workers.every(conn)}
    living = [name for name, ago in seen.items() if ago.total_seconds() <= workers.ALIVE_S]
    if living:
        names = ", ".join(living)
        yield Level.OK, ngettext("{number} alive: {names}.", "{number} alive: {names}.", len(living), names=names)
    else:
        yield (
            Level.BAD,
            gettext(
                "No worker is alive: results are accepted and safe, but none is published. Start `resultsq worker`."
            ),
        )
    for name, ago in seen.items():
        if name not in living:
            yield (
                Level.WARN,
                gettext(
                    "{name} ended without a word {time} ago; another takes over what it had in hand.",
                    name=name,
                    time=in_words(ago),
                ),
            )
