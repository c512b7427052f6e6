"""The master straight in its database: the same ledger as the reference master's, without HTTP between
(master/CONTRACT.md, "Straight into the database")."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from resultsq import pooler
from resultsq.clock import Clock
from resultsq.delivery.masters.answers import REGISTERED_ALREADY
from resultsq.delivery.masters.dial import Lookup, Resolver, system_lookup
from resultsq.delivery.masters.timeouts import CallTimeouts
from resultsq.delivery.masters.watch import Call, Failed, Watch, Wire
from resultsq.domain.athlete_blocks import LeasedBlock, NoBlocks
from resultsq.domain.athletes import ListPage, ListQuestion, MustRefetch, NoList
from resultsq.domain.errors import InputRefused, SettingsError
from resultsq.domain.notices import NoNotices, NoticeList
from resultsq.domain.outcome import Accepted, Cause, Conflict, Deferred, Outcome, Receipt, Rejected, Scope, Unauthorised
from resultsq.domain.ports import Parcel, ProbeAnswer, ReceiptPage
from resultsq.kinds.registry import KINDS
from resultsq.master import kinds
from resultsq.master.database import open_engine
from resultsq.master.ledger import (
    Committed,
    Counted,
    Expired,
    HeadConflict,
    IdReused,
    Invalid,
    Ledger,
    RegisteredAlready,
    UnreadableSheet,
)

LIMITS = CallTimeouts(slowest_bytes_per_s=12_000.0)
"""Here a sheet travels as it is, and is three times as large as over HTTP; a lease has to outlive the call."""

_CONNECT_S = 2.0
_STATEMENT_S = 4.0
"""How long a statement may work or wait for a lock: with the ledger's own queue it stays within a sheet's limit."""

_DRIVERS = ("pysqlite", "psycopg")
_ADDRESSES_TRIED = 2
_NOT_ALLOWED = frozenset({"42501", "28000", "28P01"})
_SIGNS = {
    "refused": Cause.REFUSED,
    "no route": Cause.UNREACHABLE,
    "unreachable": Cause.UNREACHABLE,
    "timeout": Cause.TIMEOUT,
    "timed out": Cause.TIMEOUT,
    "certificate": Cause.TLS,
    "fatal:": Cause.DATABASE,  # the server answered, and would not have us
}
"""The driver has only words for what happened before there was a connection."""

_running: ContextVar[Call | None] = ContextVar("_running", default=None)
"""The call that this thread is busy with: the driver's and the pool's hooks are handed no argument of ours."""

T = TypeVar("T")


class _WatchedConnection(psycopg.Connection[Any]):
    """A connection that the watch can cut. It is handed over with every cursor, before the pool's own ping."""

    wire: Wire | None = None

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        call = _running.get()
        if call is not None and not self.closed:
            self.wire = self.wire or Wire(self.fileno())
            call.attach(self.wire)
        return super().cursor(*arguments, **options)

    def close(self) -> None:
        super().close()
        if self.wire is not None:
            self.wire.close()


class DatabaseMaster:
    """`Master` in a database, for any number of senders at once.

    :param url: a SQLAlchemy URL of SQLite or PostgreSQL. The ledger's tables are made where they are not there
    :param token: names this node in the ledger, as it does at the reference master
    :param lookup: resolves names; may hang
    :param mail_key: the key by which this node hashes athletes' addresses
    :raises SettingsError: the URL makes no sense"""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        clock: Clock,
        lookup: Lookup = system_lookup,
        limits: CallTimeouts | None = None,
        mail_key: bytes | None = None,
    ) -> None:
        self.on_stalled: Callable[[], None] = lambda: None
        self._url = url
        self.use_token(token)
        self._clock = clock
        self._lookup = lookup
        self._limits = limits or LIMITS
        self._mail_key = mail_key
        self._engine = self._open()
        self._counted = Counted()
        self._ledger = Ledger(self._engine)
        self._has_tables = False
        self._watch = Watch(clock, lambda: self.on_stalled())

    def use_token(self, token: str) -> None:
        self._node = f"token-{hashlib.sha256(token.encode()).hexdigest()[:12]}"

    def probe(self) -> ProbeAnswer:
        began = self._clock.monotonic()
        with self._watch.call(self._limits.probe_s) as call, self._fresh_ledger() as ledger:
            try:
                latest = self._ask(call, ledger.latest)
            except Failed as failed:
                return ProbeAnswer(failed.cause, failed.detail, self._clock.monotonic() - began)
        took_s = self._clock.monotonic() - began
        return ProbeAnswer(None, "The master's database answers.", took_s, latest=latest)

    def send(self, parcel: Parcel, patience_s: float = 2.0) -> Outcome:
        with self._watch.call(self._limits.for_sheet_s(len(parcel.body)), patience_s) as call:
            try:
                # an earlier attempt of the same id is what the ledger looks for first
                return self._ask(call, lambda: self._publish(parcel))
            except Failed as failed:
                if _sqlstate(failed.__cause__) in _NOT_ALLOWED:
                    return Unauthorised(Scope.DESTINATION, failed.detail)
                return self._after(failed, call, parcel)

    def receipt(self, submission: str) -> Receipt | Outcome | None:
        try:
            with self._watch.call(self._limits.receipt_s) as call:
                return self._ask(call, lambda: self._ledger.receipt(submission))
        except Failed as failed:
            return Deferred(failed.cause, failed.detail, in_doubt=True)

    def receipts(self, since: str | None, until: str | None, cursor: str | None) -> ReceiptPage | Outcome:
        try:
            first, end = (None if text is None else datetime.fromisoformat(text) for text in (since, until))
            with self._watch.call(self._limits.page_s) as call:
                return self._ask(call, lambda: self._ledger.receipts(self._node, first, end, cursor))
        except Failed as failed:
            return Deferred(failed.cause, failed.detail, in_doubt=False)
        except (InputRefused, ValueError) as error:
            return Deferred(Cause.DATABASE, str(error), in_doubt=False)

    def athletes(self, question: ListQuestion) -> ListPage | MustRefetch | NoList | Outcome:
        try:
            with self._watch.call(self._limits.page_s) as call:
                return self._ask(call, lambda: self._ledger.athletes.page(question, mail_key=self._mail_key))
        except Failed as failed:
            return Deferred(failed.cause, failed.detail, in_doubt=False)

    def notices(self, etag: str) -> NoticeList | NoNotices | Outcome:
        try:
            with self._watch.call(self._limits.page_s) as call:
                found = self._ask(call, lambda: self._ledger.notices.current(self._clock.now()))
        except Failed as failed:
            return Deferred(failed.cause, failed.detail, in_doubt=False)
        return NoticeList(None, etag) if etag and found.etag == etag else found

    def lease_block(self, key: str, size: int) -> LeasedBlock | NoBlocks | Outcome:
        try:
            with self._watch.call(self._limits.page_s) as call:
                found = self._ask(call, lambda: self._ledger.blocks.lease(size, key, self._node, self._clock.now()))
        except Failed as failed:
            return Deferred(failed.cause, failed.detail, in_doubt=False)
        if found is None:
            return Rejected("id-reused", "A block of another size was leased with this key.")
        return LeasedBlock(found.name, found.first, found.last, found.expires_at)

    def abort_stalled(self, began_before: float) -> int:
        return self._watch.abort_stalled(began_before)

    def refresh(self) -> None:
        self._engine.dispose()

    def close(self) -> None:
        self._engine.dispose()
        self._watch.close()

    def _publish(self, parcel: Parcel) -> Outcome:
        now = self._clock.now()
        if not KINDS[parcel.kind].request(parcel).conditions:
            if parcel.kind not in kinds.KINDS:
                return Rejected("not-found", "The master takes nothing of this kind.")
            found = self._ledger.keep(parcel.kind, parcel.body, parcel.submission, self._node, now)
        else:
            found = self._ledger.publish(
                parcel.body, parcel.submission, parcel.event, parcel.date, parcel.precondition, self._node, now
            )
        match found:
            case Committed(receipt):
                return Accepted(receipt)
            case IdReused():
                return Rejected("id-reused", "This id was committed before with another sheet.")
            case Invalid(reasons):
                return Rejected("invalid-sheet", "The sheet cannot be published as it is.", reasons)
            case UnreadableSheet(detail):
                return Rejected("bad-request", detail)
            case Expired():
                return Rejected("gone", "It has expired, and nothing was kept.")
            case RegisteredAlready():
                return Conflict(None, None, code=REGISTERED_ALREADY, detail="This person may be registered already.")
            case HeadConflict():
                head = self._ledger.head(parcel.event, parcel.date)
                if head is None:
                    return Conflict(None, None)
                receipt_there = self._ledger.receipt(head.submission)
                return Conflict(head.submission, head.revision, head.body, receipt_there)

    def _after(self, failed: Failed, call: Call, parcel: Parcel) -> Outcome:
        """What to make of a publication that failed. Where the answer to its COMMIT was lost, the id is looked
        up at once; nothing found settles nothing, for the commit may still be at work there."""
        deferred = Deferred(failed.cause, failed.detail, in_doubt=call.sent or parcel.in_doubt)
        if not call.sent or call.over is not None:
            return deferred
        try:
            receipt = self._ask(call, lambda: self._ledger.receipt(parcel.submission))
        except Failed:
            return deferred
        return Accepted(receipt) if receipt is not None and receipt.digest == parcel.digest else deferred

    def _ask(self, call: Call, question: Callable[[], T]) -> T:
        """:raises Failed: the database gave no answer; `call.sent` says whether a COMMIT was on its way"""
        token = _running.set(call)
        call.sent = False
        try:
            if not self._has_tables:
                self._ledger.create_tables()
                self._has_tables, call.sent = True, False
            return question()
        except (SQLAlchemyError, OSError) as error:
            raise _failure(error, call) from error
        finally:
            _running.reset(token)

    @contextmanager
    def _fresh_ledger(self) -> Iterator[Ledger]:
        """A ledger whose connection is new, and gone afterwards."""
        engine = self._open()
        try:
            yield Ledger(engine, self._counted)
        finally:
            engine.dispose()

    def _open(self) -> sa.Engine:
        try:
            if sa.make_url(self._url).get_driver_name() not in _DRIVERS:
                raise SettingsError(f"A master's database is opened by {' or '.join(_DRIVERS)}: name no other driver.")
            engine = open_engine(self._url, connect_timeout_s=_CONNECT_S, statement_timeout_s=_STATEMENT_S)
        except (SQLAlchemyError, ValueError) as error:
            raise SettingsError(f"The master's URL is none of a database: {type(error).__name__}.") from None
        sa.event.listen(engine, "commit", _committing)
        if engine.dialect.driver == "psycopg":
            sa.event.listen(engine, "do_connect", self._connect)
        return engine

    def _connect(self, _dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> Any:
        """Connect in the pool's stead: the library's own way resolves names outside every timeout."""
        call = _running.get()
        host = options.get("host")
        if call is not None and isinstance(host, str) and not host.startswith("/") and "," not in host:
            port = int(options.get("port") or 5432)
            found = Resolver(host, port, self._lookup).addresses(call)
            # The driver gives each address two seconds and takes no smaller limit. Where the pool tries again because
            # we have just cut a connection, this ends the call.
            found = found[: max(1, min(_ADDRESSES_TRIED, int(call.left() / _CONNECT_S)))]
            names, ports = (",".join([text] * len(found)) for text in (host, str(port)))
            addresses = ",".join(address[0] for _, address in found)
            options = {**options, "host": names, "hostaddr": addresses, "port": ports}
        return _WatchedConnection.connect(**options)


def _committing(_connection: sa.Connection) -> None:
    """From here on the call is in doubt until the master answers."""
    if (call := _running.get()) is not None:
        call.sent = True


def _sqlstate(error: BaseException | None) -> str | None:
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return state if isinstance(state, str) else None


def _failure(error: SQLAlchemyError | OSError, call: Call) -> Failed:
    if call.over is not None:
        return call.ending(call.over)
    if isinstance(error, OSError):
        return Failed(Cause.DNS, f"The name of the master's database could not be resolved. ({error})")
    if (of_pooler := pooler.trouble(str(getattr(error, "orig", "")))) is not None:
        return Failed(Cause.DATABASE, of_pooler)
    if not isinstance(error, DBAPIError) or not isinstance(error.orig, psycopg.Error) or _sqlstate(error):
        # never the database's own words: they may quote a row, which is people's results
        code = _sqlstate(error) or getattr(getattr(error, "orig", None), "sqlite_errorname", "")
        return Failed(Cause.DATABASE, f"The master's database did not take it ({type(error).__name__} {code}).")
    words = str(error.orig).lower()
    cause = next((cause for sign, cause in _SIGNS.items() if sign in words), Cause.RESET)
    return Failed(cause, f"The connection to the master's database failed: {str(error.orig).splitlines()[0]}")
