"""What an exception under a call means, and how much of an answer is taken."""

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, cast

import pytest
import requests
import urllib3

from resultsq.delivery.masters import connection
from resultsq.delivery.masters.redact import redactor
from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.outcome import Cause
from tests.support.manual_clock import ManualClock

HIDE = redactor("Bearer secret-word")


def call(sent: bool = False) -> Call:
    made = Call(ManualClock(datetime(2013, 12, 7, tzinfo=UTC)), 5.0, None)
    made.sent = sent
    return made


CAUSES: list[tuple[BaseException, bool, Cause | None]] = [
    (ssl.SSLEOFError(), False, Cause.RESET),
    (ssl.SSLZeroReturnError(), False, Cause.RESET),
    (ssl.SSLSyscallError(), False, Cause.RESET),
    (ssl.SSLError(), False, Cause.TLS),
    (ssl.SSLError(), True, Cause.RESET),
    (socket.gaierror(), False, Cause.DNS),
    (TimeoutError(errno.ETIMEDOUT, "timed out"), False, Cause.TIMEOUT),
    (TimeoutError(errno.ETIMEDOUT, "timed out"), True, Cause.NO_ANSWER),
    (TimeoutError("timed out"), False, Cause.NO_ANSWER),
    (urllib3.exceptions.TimeoutError(), True, Cause.NO_ANSWER),
    (ConnectionRefusedError(), False, Cause.REFUSED),
    (ConnectionResetError(), True, Cause.RESET),
    (BrokenPipeError(), True, Cause.RESET),
    (OSError(errno.ENETUNREACH, "no"), False, Cause.UNREACHABLE),
    (OSError(errno.EHOSTUNREACH, "no"), False, Cause.UNREACHABLE),
    (OSError(errno.EMFILE, "no"), False, None),
    (http.client.BadStatusLine("SSH-2.0"), True, Cause.NOT_OUR_MASTER),
    (urllib3.exceptions.DecodeError(), True, Cause.NOT_OUR_MASTER),
    (urllib3.exceptions.InvalidHeader(), True, Cause.NOT_OUR_MASTER),
    (ValueError("no number"), True, Cause.NOT_OUR_MASTER),
    (KeyError(), True, None),
]


@pytest.mark.parametrize(("error", "sent", "cause"), CAUSES)
def test_each_exception_has_its_cause(error: BaseException, sent: bool, cause: Cause | None) -> None:
    assert connection._cause(error, sent) is cause


def raised(*chain: BaseException, explicit: bool) -> BaseException:
    """The first of these, which came of the second, which came of the third."""
    for outer, inner in pairwise(chain):
        if explicit:
            outer.__cause__ = inner
        else:
            outer.__context__ = inner
    return chain[0]


@pytest.mark.parametrize("explicit", [True, False])
def test_the_innermost_knows_best_and_its_words_are_told_in_part(explicit: bool) -> None:
    inner = ConnectionRefusedError(f"of secret-word {'x' * 500}")
    error = raised(requests.ConnectionError("outer"), TimeoutError("middle"), inner, explicit=explicit)
    found = connection._failure(error, call(), HIDE)
    words = "of (hidden) " + "x" * 188
    assert (found.cause, found.detail) == (Cause.REFUSED, f"Nothing listens at the master's address. ({words})")


def test_what_has_no_cause_is_passed_over_and_what_has_none_at_all_is_unreachable() -> None:
    error = raised(ConnectionResetError("known"), OSError(errno.EMFILE, "files"), explicit=True)
    assert connection._failure(error, call(), HIDE).cause is Cause.RESET
    found = connection._failure(OSError(errno.EMFILE, "of secret-word"), call(), HIDE)
    assert found.cause is Cause.UNREACHABLE
    assert found.detail.endswith("([Errno 24] of (hidden))")
    long = connection._failure(OSError("x" * 500), call(), HIDE)
    assert long.detail == f"{found.detail.partition(' (')[0]} ({'x' * 200})"


def test_exceptions_that_name_each_other_have_an_end() -> None:
    one, two = OSError(errno.EMFILE, "one"), ConnectionResetError("two")
    one.__cause__, two.__cause__ = two, one
    assert connection._failure(one, call(), HIDE).cause is Cause.RESET


def test_a_call_that_was_ended_says_so_whatever_was_raised() -> None:
    over = call()
    over.end(Cause.SILENT)
    assert connection._failure(ConnectionResetError(), over, HIDE).cause is Cause.SILENT


class Pieces:
    """An answer that comes in pieces."""

    def __init__(self, *sizes: int) -> None:
        self._sizes = sizes

    def iter_content(self, _size: int) -> Iterator[bytes]:
        return (b"x" * size for size in self._sizes)


@pytest.mark.parametrize(("sizes", "is_taken"), [((), True), ((4, 6), True), ((4, 7), False)])
def test_an_answer_is_taken_up_to_its_limit(sizes: tuple[int, ...], is_taken: bool) -> None:
    response = cast(Any, Pieces(*sizes))
    if is_taken:
        assert connection._body(response, call(), 10) == b"x" * sum(sizes)
        return
    with pytest.raises(Failed, match=r"longer than any of the master's \(10 bytes\)") as failed:
        connection._body(response, call(), 10)
    assert failed.value.cause is Cause.NOT_OUR_MASTER


def test_no_secret_header_is_shown() -> None:
    headers = {"Authorization": "Bearer x", "SET-COOKIE": "a", "Set-Cookie2": "b", "Via": "proxy"}
    assert connection._head("GET / HTTP/1.1 ", headers) == "GET / HTTP/1.1\nVia: proxy"
