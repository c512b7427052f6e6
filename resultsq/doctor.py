"""`doctor`: looks at every part of a node, and says in sentences what is wrong and what to do.

Each part is looked at in a thread of its own and for a few seconds only, so that one that hangs hides no other:
the doctor is for when everything is down.
"""

import os
import queue
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import redis
from sqlalchemy import text

from resultsq import disk, pooler
from resultsq.app import heard
from resultsq.clock import Clock
from resultsq.delivery.masters import open_configured
from resultsq.domain.errors import ResultsqError, StoreFull, StoreUnavailable
from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause, Unauthorised
from resultsq.domain.ports import ProbeAnswer, ReceiptPage
from resultsq.domain.submission import State
from resultsq.settings import Settings
from resultsq.sqlite import wal_is_safe
from resultsq.store import migrate, queries, repairs, workers
from resultsq.store.queries import LinkView
from resultsq.store.session import Database
from resultsq.store.trouble import own_words
from resultsq.web import forwarded

PATIENCE_S = 12.0
"""Longer than the probe of a master, the slowest thing that is asked, may take."""

BROKER_S = 2.0
CLOCK_OFF_S = 30.0
INODES_LOW = 1_000
FORWARDED_FOR = timedelta(days=1)
"""A proxy in front is told of for so long after its last request."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # results are published; somebody should look
    BAD = "bad"  # results are not taken, or not published


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part of the node, and what to do about it."""

    part: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Patient:
    """The node that is looked at."""

    settings: Settings
    database: Database
    clock: Clock


Told = Iterator[tuple[Level, str]]


def examine(patient: Patient, patience_s: float = PATIENCE_S, parts: Collection[str] | None = None) -> list[Finding]:
    """Look at every part, or at these alone, all at once. What has not answered after `patience_s` is a finding too."""
    checks = {part: check for part, check in CHECKS.items() if parts is None or part in parts}
    answers: queue.Queue[tuple[str, list[Finding]]] = queue.Queue()

    def look(part: str, check: Callable[[Patient], Told]) -> None:
        try:
            found = [Finding(part, level, sentence) for level, sentence in check(patient)]
        except StoreUnavailable as error:
            found = [Finding(part, Level.BAD, f"Unknown: {error.cause}")]
        except ResultsqError as error:
            found = [Finding(part, Level.BAD, str(error))]
        except Exception as error:  # noqa: BLE001 - whatever it is, the other findings are worth having
            found = [Finding(part, Level.BAD, f"This could not be looked at: {type(error).__name__}.")]
        answers.put((part, found))

    for part, check in checks.items():
        threading.Thread(target=look, args=(part, check), name=part, daemon=True).start()
    found: dict[str, list[Finding]] = {}
    give_up = patient.clock.monotonic() + patience_s
    while len(found) < len(checks) and (left_s := give_up - patient.clock.monotonic()) > 0:
        try:
            part, findings = answers.get(timeout=left_s)
        except queue.Empty:
            break
        found[part] = findings
    silent = f"It did not answer within {patience_s:g} s."
    return [finding for part in checks for finding in found.get(part, [Finding(part, Level.BAD, silent)])]


def _store(patient: Patient) -> Told:
    database = patient.database
    if (nowhere := migrate.no_node_in(database, patient.settings.data_dir)) is not None:
        yield Level.BAD, nowhere
        return
    try:
        database.write(queries.touch)
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
            f"({own_words(error.__cause__)})",
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


def _schema(patient: Patient) -> Told:
    found, needed = migrate.current(patient.database), migrate.newest()
    if found == needed:
        yield Level.OK, f"The schema is at revision {found}, as this version needs."
    elif migrate.is_behind(found):
        yield Level.BAD, f"The schema is at revision {found or 'none'}, {needed} is needed. Run `resultsq db upgrade`."
    else:
        yield (
            Level.WARN,
            f"The schema is at revision {found}, a newer version's; this one goes on with it. Upgrade this one too.",
        )


def _disk(patient: Patient) -> Told:
    settings = patient.settings
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


def _queue(patient: Patient) -> Told:
    now = patient.clock.now()
    with patient.database.read() as conn:
        status = queries.status(conn, now)
    if status.oldest_waiting_at is None:
        yield Level.OK, "Nothing waits for its publication."
    else:
        waited = now - status.oldest_waiting_at
        long = waited > timedelta(minutes=patient.settings.alert_oldest_waiting_min)
        yield (
            Level.WARN if long else Level.OK,
            f"{status.to_send} wait for their publication{f' and {status.held} are held' if status.held else ''}, "
            f"the oldest for {_span(waited)}.",
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


def _rows(patient: Patient) -> Told:
    with patient.database.read() as conn:
        damaged = list(repairs.damaged(conn))
    for repair, count in damaged:
        yield Level.BAD, f"{repair.sentence(count)} Nothing is lost: `resultsq doctor --mend` lets them go on."
    if not damaged:
        yield Level.OK, "Each version that waits will have its turn."


def last_heard(link: LinkView) -> str:
    """When the master last answered, as the end of a sentence."""
    return "never heard" if link.probed_at is None else f"last heard at {link.probed_at:%H:%M:%S} UTC"


def _link(patient: Patient) -> Told:
    heard.listen(patient.database, patient.clock)
    with patient.database.read() as conn:
        link = queries.link(conn)
    if link is None:
        yield Level.WARN, "No worker has ever run here, so nothing is known of the link to the master."
        return
    since = f"since {link.since:%Y-%m-%d %H:%M} UTC"
    if link.refused_at is not None:
        yield (
            Level.BAD,
            "The master refuses this node's credentials. Write the new token into the file that "
            "RESULTSQ_MASTER_TOKEN_FILE names, or set RESULTSQ_MASTER_TOKEN and restart the workers.",
        )
    if (off_s := link.clock_off_s(patient.clock.now())) != 0:
        yield Level.BAD, _wrong_clock(off_s)
    match link.state:
        case LinkState.UP if link.stalled:
            yield (
                Level.WARN,
                "The master answers, but takes no results. One is tried each second, and all go when it takes one.",
            )
        case LinkState.UP if not link.fresh(patient.clock.now()):
            yield (
                Level.WARN,
                f"Whether the link is up is not known: the master was {last_heard(link)}, and has not been since.",
            )
        case LinkState.UP:
            yield Level.OK, f"The link is up {since}."
        case LinkState.DOWN:
            yield Level.WARN, f"The link is down {since}: {link.detail} What waits is sent when it returns."
        case LinkState.MASTER_DOWN:
            yield Level.WARN, f"The master says that it is down {since}. What waits is sent when it is back."
        case LinkState.NOT_OUR_MASTER:
            yield (
                Level.BAD,
                f"Somebody else answers in the master's place {since}: {link.detail} "
                "Look for a captive portal or a proxy, and at RESULTSQ_MASTER_URL.",
            )


def _broker(patient: Patient) -> Told:
    url = patient.settings.broker_url.get_secret_value()
    bundled = patient.settings.data_dir / "broker" / "valkey.sock"
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


def _workers(patient: Patient) -> Told:
    now = patient.clock.now()
    with patient.database.read() as conn:
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
            yield Level.WARN, f"{name} ended without a word {_span(ago)} ago; another takes over what it had in hand."


def _master(patient: Patient) -> Told:
    settings = patient.settings
    url = settings.master_url.get_secret_value()
    if not url:
        yield Level.OK, "None is set: `resultsq up` brings one; a lone worker needs RESULTSQ_MASTER_URL."
        return
    master = open_configured(settings, patient.clock)
    try:
        answer = master.probe()
        yield _probed(answer)
        if answer.master_time_offset_s is not None:
            yield _clock(answer.master_time_offset_s)
        if answer.cause is not None:
            return
        match master.receipts(f"{patient.clock.now():%Y-%m-%dT%H:%M:%SZ}", None, None):
            case ReceiptPage():
                yield Level.OK, "It takes this node's credentials."
            case Unauthorised():
                yield Level.BAD, "It refuses this node's credentials: look at RESULTSQ_MASTER_TOKEN."
            case _:
                yield Level.WARN, "Whether it takes this node's credentials could not be found out; ask again."
    finally:
        master.close()


def _proxies(patient: Patient) -> Told:
    yield from _proxy_in_front(patient)
    named = [name for name in _PROXY_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())]
    if not named:
        return
    settings = patient.settings
    set_here = [one.get_secret_value() for one in (settings.master_proxy, settings.webhook_proxy)]
    yield (
        Level.OK if any(set_here) else Level.WARN,
        f"{' and '.join(named)} of the environment {'is' if len(named) == 1 else 'are'} ignored: the proxy on the way "
        "to the master is RESULTSQ_MASTER_PROXY, and to the webhook RESULTSQ_WEBHOOK_PROXY.",
    )


def _proxy_in_front(patient: Patient) -> Told:
    at = None if patient.settings.trusted_proxies else forwarded.last(patient.settings.data_dir)
    if at is None or (ago := patient.clock.now() - at) > FORWARDED_FOR:
        return
    yield (
        Level.WARN,
        f"A reverse proxy seems to pass requests on (X-Forwarded-For, last {_span(ago)} ago), and none is trusted: "
        "everybody has its address and shares one limit of log-ins and connections. Set RESULTSQ_TRUSTED_PROXIES to "
        "the number of proxies in front.",
    )


_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def _probed(answer: ProbeAnswer) -> tuple[Level, str]:
    if answer.cause is None:
        return Level.OK, f"The master answers in {answer.duration_s:.2f} s."
    if answer.cause is Cause.TLS:
        return (
            Level.BAD,
            f"The master's certificate cannot be trusted: {answer.detail} Nothing is sent to it. "
            "Look at RESULTSQ_MASTER_CA_FILE, at this machine's clock, and for a captive portal.",
        )
    return (
        Level.WARN,
        f"The master cannot be reached ({answer.cause}): {answer.detail} Results are accepted and wait.",
    )


def _clock(offset_s: float) -> tuple[Level, str]:
    if abs(offset_s) <= CLOCK_OFF_S:
        return Level.OK, "This machine's clock and the master's agree."
    which = "behind" if offset_s > 0 else "ahead of"
    return (
        Level.WARN,
        f"This machine's clock is {_span(timedelta(seconds=abs(offset_s)))} {which} the master's. Delivery does not "
        "depend on it, but times on the dashboard do: set it.",
    )


def _wrong_clock(off_s: float) -> str:
    span = _span(timedelta(seconds=abs(off_s)))
    if off_s < 0:
        return f"This machine's clock is {span} ahead of the master's. Times on results are wrong: set it."
    return (
        f"This machine's clock is {span} behind the newest time that the master has told or this node has written. "
        "A date that it takes for one to come is accepted with a warning until it is set."
    )


def _span(span: timedelta) -> str:
    """A length of time as people say it."""
    seconds = max(0, round(span.total_seconds()))
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


CHECKS: Mapping[str, Callable[[Patient], Told]] = {
    "store": _store,
    "schema": _schema,
    "disk": _disk,
    "workers": _workers,
    "queue": _queue,
    "rows": _rows,
    "link": _link,
    "master": _master,
    "proxies": _proxies,
    "broker": _broker,
}
"""What is looked at, in the order of telling."""
