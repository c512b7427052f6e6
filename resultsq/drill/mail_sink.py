"""A mail server for a rehearsal, behind a link with a switch: it keeps the Message-ID of each mail that arrives.

It needs aiosmtpd, which a node does not: where it is missing no mails are played."""

import importlib.util
from collections.abc import Generator
from contextlib import contextmanager
from email.parser import BytesHeaderParser
from typing import Any

from resultsq.drill.link import HOST, LinkMode, LinkRelay, free_port


def can_run() -> bool:
    """Whether the library is installed."""
    return importlib.util.find_spec("aiosmtpd") is not None


class MailSink:
    """What arrived, in order: the submission's id of each mail. `port` is where the node's side of the link listens."""

    def __init__(self, link: LinkRelay) -> None:
        self._link = link
        self.arrived: list[str] = []

    @property
    def port(self) -> int:
        return self._link.port

    def take(self, mode: LinkMode) -> None:
        """Switch the link to it."""
        self._link.take(mode)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        found = BytesHeaderParser().parsebytes(envelope.original_content)["Message-ID"]
        self.arrived.append(str(found).strip("<>").partition("@")[0])
        return "250 taken"


@contextmanager
def opened() -> Generator[MailSink]:
    """It takes mails until the block ends."""
    from aiosmtpd.controller import Controller

    behind = free_port()
    with LinkRelay(free_port(frozenset({behind})), behind) as link:
        sink = MailSink(link)
        server = Controller(sink, hostname=HOST, port=behind)
        server.start()
        try:
            yield sink
        finally:
            server.stop()
