"""Threads that do anything at any moment, on PostgreSQL, for a while: then books that were kept apart are compared.

RESULTSQ_RANDOM_S says for how many seconds, RESULTSQ_RANDOM_SEED with which seed; it is printed. Threads do not take
the same turns twice, but what each of them tries is the same for the same seed."""

import os
import random
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select

from resultsq.delivery import sender
from resultsq.delivery.reconcile import reconcile
from resultsq.domain.errors import Conflicting, NotThere, ResultsqError
from resultsq.domain.outcome import Cause, Deferred, Outcome
from resultsq.domain.ports import Parcel
from resultsq.domain.settlement import Settlement
from resultsq.domain.submission import GONE, NEEDS_A_PERSON, WAITING, State
from resultsq.store import outbox
from resultsq.store.admin import actions, retention
from resultsq.store.engine.tables import Chain, Hold, Submission
from resultsq.store.outbox import BundledVersion, Lease, cycle
from tests.support.accounts import ELSEWHERE, AccountableMaster
from tests.support.nodes import CEILING, StoreNode, entry, migrated
from tests.support.promises import broken

SECONDS = float(os.environ.get("RESULTSQ_RANDOM_S", "5"))
SEED = int(os.environ.get("RESULTSQ_RANDOM_SEED", str(random.randrange(1 << 32))))
EVENTS = ("bushy", "richmond")
DATES = ("2013-11-30", "2013-12-07")
WORKERS = 3


class Saturday:
    """The node, the master, and everybody's books."""

    def __init__(self, url: str, master_url: str) -> None:
        self.node = StoreNode(migrated(url), EVENTS)
        self.database = self.node.database
        self.master = AccountableMaster(master_url)
        self.given: dict[str, str] = {}  # what somebody was told is accepted, and its digest
        self.keys: dict[tuple[str, str], str] = {}
        self.surprises: list[str] = []
        self.late: list[Parcel] = []
        self.over = threading.Event()
        self.books = threading.Lock()
        self.node.probe()

    def close(self) -> None:
        self.database.close()
        self.master.close()

    def run(self, *people: Callable[[random.Random], Iterator[None]]) -> None:
        threads = [
            threading.Thread(target=self._keep_on, args=(person, SEED + number))
            for number, person in enumerate(people)
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        self.over.wait(SECONDS)
        self.over.set()
        for thread in threads:
            thread.join(60)

    def _keep_on(self, person: Callable[[random.Random], Iterator[None]], seed: int) -> None:
        try:
            steps = person(random.Random(seed))
            while not self.over.is_set():
                next(steps)
        except Exception:
            self.surprises.append(traceback.format_exc())
            self.over.set()

    # who does what

    def team(self, dice: random.Random) -> Iterator[None]:
        """Sends versions, some again with the same key, some on a version that is no longer the head."""
        heads: dict[tuple[str, str], str | None] = {}
        while True:
            event, date = dice.choice(EVENTS), dice.choice(DATES)
            if dice.random() < 0.9:
                heads[event, date] = self.head(event, date)
            head, key = heads.get((event, date)), f"key {dice.randrange(40)}" if dice.random() < 0.3 else None
            made = self.node.entry(event, dice.randrange(1, 9), date=date, if_match=head, client_key=key)
            try:
                told = self.database.write(partial(outbox.accept, now=self.node.now, entry=made))
            except Conflicting:
                yield
                continue
            with self.books:
                if key is not None:
                    assert self.keys.setdefault((event, key), told.id) == told.id, "a key stands for two submissions"
                assert self.given.setdefault(told.id, told.digest) == told.digest
            if told.created:
                self.master.replaces(told.id, head)
            yield

    def decider(self, dice: random.Random) -> Iterator[None]:
        """Withdraws any version, undoes it, publishes over, in single steps and in whole actions."""
        while True:
            if (chosen := self.any_version(dice)) is not None:
                self.decide(dice, chosen)
            time.sleep(dice.random() * 0.01)
            yield

    def decide(self, dice: random.Random, chosen: Row[Any]) -> None:
        what = dice.choice(["withdraw", "undo", "over", "over", "bulk", "bulk", "undo bulk"])
        try:
            if what == "withdraw":
                self.node.withdraw(chosen.id)
            elif what == "undo":
                self.node.undo_withdrawal(chosen.id)
            elif what == "over":
                self.publish_over(chosen.id)
            elif what == "bulk":
                some = [row.id for _ in range(4) if (row := self.any_version(dice)) is not None]
                self.node.act(dice.choice(["withdraw", "withdraw", "retry", "hold", "release"]), *some)
            elif chosen.withdrawn_in is not None:
                now = self.node.now
                undo = actions.start_undo(self.database, now, "op", chosen.withdrawn_in, "a test")
                while self.database.write(lambda conn: actions.advance(conn, now, undo)):
                    continue
        except (Conflicting, NotThere):
            return

    def publish_over(self, submission: str) -> None:
        def work(conn: Any) -> Any:
            outbox.publish_over(conn, self.node.now, submission)
            shown = select(Submission.conflict_head).where(Submission.id == submission)
            return conn.execute(shown).scalar_one_or_none()

        self.master.replaces(submission, self.database.write(work))

    def operator(self, dice: random.Random) -> Iterator[None]:
        """Sticks that leave and come, comparisons, prunes, another token, holds of events."""
        acts = [self.export, self.adopt, self.adopt, self.compare, self.prune, self.rotate, self.hold, self.elsewhere]
        while True:
            dice.choice(acts)(dice)
            time.sleep(dice.random() * 0.05)
            yield

    def export(self, dice: random.Random) -> None:
        parted, _ = self.database.write(lambda conn: outbox.export(conn, self.node.now, WAITING, "stick"))
        with self.books:
            self.late += [_parcel(one) for one in parted if dice.random() < 0.5]

    def adopt(self, dice: random.Random) -> None:
        event, date = dice.choice(EVENTS), dice.choice(DATES)
        there, ours = self.master.there(event, date), self.any_version(dice)
        base = dice.choice([None, there[-1] if there else None, ours.id if ours is not None else None])
        made = entry(0, event, dice.randrange(10, 14), date=date, by=ELSEWHERE)
        parted = BundledVersion(
            str(uuid.uuid4()), "results", event, date, base, made.digest, made.rows_digest, made.finishers,
            ELSEWHERE, self.node.now, made.body,
        )  # fmt: skip
        self.master.replaces(parted.id, base)
        if dice.random() < 0.3:
            self.master.send(_parcel(parted), self.node.now, ELSEWHERE)
        self.database.write(lambda conn: outbox.adopt(conn, self.node.now, parted, self.node.events[event]))
        with self.books:
            self.given[parted.id] = parted.digest

    def compare(self, dice: random.Random) -> None:
        try:
            reconcile(self.database, self.master, self.node.now, self.node.now - timedelta(days=30))  # type: ignore[arg-type]  # a master that is only asked
        except ResultsqError as error:
            if "could not be had" not in str(error):
                raise

    def prune(self, dice: random.Random) -> None:
        before = self.node.now - timedelta(minutes=dice.randrange(60))
        while self.database.write(lambda conn: retention.prune_some(conn, before)).submissions:
            continue

    def rotate(self, dice: random.Random) -> None:
        self.master.credentials = f"token {dice.randrange(3)}"

    def hold(self, dice: random.Random) -> None:
        hold = self.node.hold(dice.choice([*EVENTS, None]))
        time.sleep(0.02)
        self.release_all(hold)

    def release_all(self, hold: int | None = None) -> None:
        with self.database.read() as conn:
            query = select(Hold.id).where(Hold.released_at.is_(None), Hold.scope != "submission")
            standing = list(conn.execute(query).scalars())
        for one in standing:
            try:
                self.node.release(one)
            except NotThere:
                continue

    def elsewhere(self, dice: random.Random) -> None:
        event, date = dice.choice(EVENTS), dice.choice(DATES)
        there = self.master.there(event, date)
        made = entry(0, event, dice.randrange(1, 12), date=date, by=ELSEWHERE)
        parcel = Parcel("results", made.id, event, date, made.body, made.digest, there[-1] if there else None)
        self.master.send(parcel, self.node.now, ELSEWHERE)

    def weather(self, dice: random.Random) -> Iterator[None]:
        """Outages, sheets that the master will not take, what the network had kept, and the time."""
        while True:
            self.master.up = dice.random() < 0.7
            self.node.probe(None if self.master.up else Cause.REFUSED)
            self.node.pass_time(dice.choice([0.1, 1, 5, 61, 1800]))
            with self.books:
                dice.shuffle(self.late)
                landing, self.late = self.late[:2], self.late[2:]
            for parcel in landing:
                self.master.send(parcel, self.node.now)
            if dice.random() < 0.2 and (chosen := self.any_version(dice)) is not None:
                self.master.bad.add(chosen.id)
            elif dice.random() < 0.2:
                self.master.bad.clear()
            time.sleep(0.02)
            yield

    def worker(self, dice: random.Random, name: str) -> Iterator[None]:
        """Claims, sends, settles; gives back what it never began; dies and starts again under its name."""
        ends: list[Settlement] = []
        held: list[Lease] = []
        while True:
            cancelled = [one for one in held if dice.random() < 0.2]
            taken = self.database.write(
                partial(
                    cycle.run_cycle,
                    now=self.node.now,
                    worker=name,
                    settlements=ends,
                    free=dice.randrange(CEILING),
                    ceiling=CEILING,
                    cancelled=[one.lease for one in cancelled],
                )
            )
            held = [one for one in held if one not in cancelled] + list(taken.leases)
            going = [one for one in held if dice.random() < 0.7]
            held = [one for one in held if one not in going]
            ends = [sender.settlement(one, self.send(dice, one), 0.01, dice.random()) for one in going]
            if dice.random() < 0.03:
                ends, held = [], []
                self.database.write(lambda conn: outbox.void_leases(conn, self.node.now, name))
            time.sleep(dice.random() * 0.01)
            yield

    def send(self, dice: random.Random, lease: Lease) -> Outcome:
        parcel = _parcel(lease)
        match dice.choice(["well"] * 4 + ["lost", "late", "unsent", "busy"]) if self.master.up else "unsent":
            case "unsent":
                return Deferred(Cause.REFUSED, "Nothing listens there.", in_doubt=lease.in_doubt)
            case "busy":
                return Deferred(Cause.BUSY, "429", in_doubt=True, retry_after_s=5.0)
            case "late":
                with self.books:
                    self.late.append(parcel)
                return Deferred(Cause.TIMEOUT, "Nothing came.", in_doubt=True)
            case fate:
                outcome = self.master.send(parcel, self.node.now)
                return Deferred(Cause.RESET, "Lost.", in_doubt=True) if fate == "lost" else outcome

    def watcher(self, _: random.Random) -> Iterator[None]:
        """Looks at every moment that it can see."""
        while True:
            with self.database.read() as conn:
                assert broken(conn, at_rest=False) == []
            time.sleep(0.05)
            yield

    # what is seen

    def rows(self) -> list[Row[Any]]:
        with self.database.read() as conn:
            return list(conn.execute(select(Submission).order_by(Submission.seq)))

    def any_version(self, dice: random.Random) -> Row[Any] | None:
        """One of the last few of a chain, whichever."""
        event, date = dice.choice(EVENTS), dice.choice(DATES)
        where = (Submission.event_id == self.node.events[event], Submission.date == date)
        query = select(Submission).where(*where).order_by(Submission.version.desc()).limit(4)
        with self.database.read() as conn:
            found = conn.execute(query).all()
        return dice.choice(found) if found else None

    def head(self, event: str, date: str) -> str | None:
        query = select(Chain.head).where(Chain.event_id == self.node.events[event], Chain.subject == date)
        with self.database.read() as conn:
            return conn.execute(query).scalars().first()

    # and at the end

    def settle_all(self) -> None:
        """The link is up, nobody holds anything, and a person decides every conflict."""
        self.master.up, self.master.bad = True, set()
        for parcel in self.late:
            self.master.send(parcel, self.node.now)
        self.release_all()
        for round_ in range(200):
            waiting = self.unsettled()
            if not waiting:
                return
            if held := [row.id for row in waiting if row.hold_id is not None]:
                self.node.act("release", *held)
            for row in waiting:
                if row.state in NEEDS_A_PERSON:
                    self.decide_at_last(row)
            self.node.pass_time(61)
            self.node.probe()
            leases = self.node.claim(f"w{round_}")
            ends = [sender.settlement(one, self.master.send(_parcel(one), self.node.now), 0.1, 0.5) for one in leases]
            self.node.turn(*ends, free=0)
        raise AssertionError([(row.id, row.state, row.blocked, row.base) for row in self.unsettled()])

    def unsettled(self) -> list[Row[Any]]:
        return [row for row in self.rows() if row.state in WAITING | NEEDS_A_PERSON]

    def decide_at_last(self, row: Row[Any]) -> None:
        try:
            self.publish_over(row.id)
        except Conflicting:
            return

    def audit(self) -> list[str]:
        """What is wrong, by the books."""
        rows = {row.id: row for row in self.rows()}
        found = [f"forgotten: {one}" for one in self.given if one not in rows]
        found += [f"changed: {one}" for one, digest in self.given.items() if one in rows and rows[one].digest != digest]
        same = [(row.id, row.published_as) for row in rows.values() if row.published_as not in (None, row.id)]
        found += self.master.not_replaced_knowingly(same)
        there = [one for event in EVENTS for date in DATES for one in self.master.there(event, date)]
        for chain in {row.chain_id for row in rows.values()}:
            last = {one.published_as for one in rows.values() if (one.chain_id, one.state) == (chain, State.PUBLISHED)}
            if len(last) > 1:
                found.append(f"not corrected: {last}")
        for row in rows.values():
            if row.state in GONE and row.submitted_by != ELSEWHERE and row.id in there:
                found.append(f"{row.state}, and published: {row.id}")
            if row.state in (State.PUBLISHED, State.CORRECTED) and row.published_as not in there:
                found.append(f"{row.state}, and not there: {row.id}")
        return found


def _parcel(one: Lease | BundledVersion) -> Parcel:
    if isinstance(one, BundledVersion):
        return Parcel("results", one.id, one.event, one.date, one.body, one.digest, one.base, in_doubt=True)
    return Parcel("results", one.submission, one.event, one.date, one.body, one.digest, one.base, one.in_doubt)


@pytest.mark.long
def test_the_books_agree_after_everybody_did_anything_at_any_moment(postgres_url: str, tmp_path: Path) -> None:
    print(f"RESULTSQ_RANDOM_SEED={SEED}")
    day = Saturday(postgres_url, f"sqlite:///{tmp_path / 'master.db'}")
    try:
        workers = [partial(day.worker, name=f"w{n}") for n in range(WORKERS)]
        day.run(
            day.team, day.team, day.team, day.decider, day.decider, day.operator, day.weather, day.watcher, *workers
        )
        assert not day.surprises, "\n".join(day.surprises)
        with day.database.read() as conn:
            assert broken(conn) == []
        assert day.audit() == []
        day.settle_all()
        assert day.audit() == []
        published = sum(row.state in (State.PUBLISHED, State.CORRECTED) for row in day.rows())
        print(f"{len(day.given)} versions, {published} published")
        assert published > 3, "so few would show nothing"
    finally:
        day.close()
