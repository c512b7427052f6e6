"""Two PostgreSQL servers behind one address: a primary, and a standby that takes its place."""

from contextlib import ExitStack
from typing import Self

from tests.support.proxy import Proxy
from tests.support.services import HOST, PostgreSQL
from tests.support.waiting import wait_until


class Failover:
    """`url` is a database behind the address. What is connected to the old primary stays connected to it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.primary = PostgreSQL()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.primary)
            self.url = self.primary.create_database()
            self.standby = PostgreSQL()
            stack.callback(self.standby.close)
            self.standby.be_standby_of(self.primary)
            self.standby.start()
            self.address = stack.enter_context(Proxy(self.primary.port))
            self.url = self.url.replace(f"{HOST}:{self.primary.port}", f"{HOST}:{self.address.port}")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def fence(self) -> None:
        """The old primary takes no more writes; the standby catches up with it."""
        self.primary.take_no_writes()
        last = self.primary.wal_position()
        wait_until(lambda: self.standby.wal_position() >= last, 60, "the standby to catch up")

    def promote(self) -> None:
        """The standby is the primary, and new connections lead to it."""
        self.standby.promote()
        self.address.move_to(self.standby.port)
