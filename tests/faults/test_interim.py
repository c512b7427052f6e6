"""An interim answer (1xx) is not the answer: it is skipped, and there is an end to their number and their bytes."""

import socket

import pytest

from resultsq.clock import SystemClock
from resultsq.delivery.masters.http import HttpMaster
from resultsq.domain.outcome import Accepted, Cause, Deferred, Receipt
from tests.support.far_side import answer, far_side, hear, parcel, receipt_for
from tests.support.services import HOST

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "101, which nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": HINTS,
    "unknown": b"HTTP/1.1 199\r\nX: y\r\n\r\n",
    "several": b"HTTP/1.1 100 Continue\r\n\r\n" + 40 * HINTS,
}


class Patient:
    """A good master that says something before each answer."""

    def __init__(self, before: bytes) -> None:
        self._before = before

    def __call__(self, connection: socket.socket) -> None:
        receipt = b""
        while True:
            head, body = hear(connection)
            receipt = receipt_for(head, body) if body else receipt
            said = receipt if "/health" not in head else b'{"service": "results-master"}'
            connection.sendall(self._before + answer(200, said))


def opened(port: int) -> HttpMaster:
    return HttpMaster(f"http://{HOST}:{port}", "secret", clock=SystemClock())


@pytest.mark.parametrize("interim", INTERIM)
def test_the_final_answer_counts_when_interim_ones_come_first(interim: str) -> None:
    with far_side(Patient(INTERIM[interim])) as port:
        master = opened(port)
        assert master.probe().cause is None
        sheets = [parcel(), parcel()]
        assert [type(master.send(sheet)) for sheet in sheets] == [Accepted, Accepted]
        assert isinstance(master.receipt(sheets[1].submission), Receipt)
        master.close()


@pytest.mark.parametrize("before", [200 * HINTS, 20 * (HINTS[:-2] + b"X: " + 5000 * b"x" + b"\r\n\r\n")])
def test_it_is_not_our_master_when_there_is_no_end_of_interim_answers(before: bytes) -> None:
    with far_side(Patient(before)) as port:
        master = opened(port)
        assert master.probe().cause is Cause.NOT_OUR_MASTER
        outcome = master.send(parcel())
        master.close()
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.NOT_OUR_MASTER, True)
