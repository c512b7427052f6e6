"""The node's token is in nothing that is kept of an answer, wherever and however the answer echoes it."""

import html
import json
import socket
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resultsq.clock import SystemClock
from resultsq.delivery.masters.http import HttpMaster
from resultsq.delivery.masters.redact import HIDDEN, Redactor
from resultsq.domain.outcome import Deferred, Outcome, Rejected
from tests.support.far_side import Talk, answer, far_side, hear, parcel
from tests.support.services import HOST

TOKEN = "s3cret/t0ken+=&x'~"


def slashed(text: str) -> str:
    """As PHP writes JSON."""
    return json.dumps(text).replace("/", "\\/")


def coded(text: str) -> str:
    return "".join(f"\\u{ord(one):04X}" for one in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a page": html.escape,
    "in a page, by numbers": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "in a page, by hexadecimal numbers": lambda text: "".join(f"&#x{ord(one):x};" for one in text),
    "in a URL": lambda text: quote(text, safe=""),
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in JSON, with slashes": lambda text: slashed(text)[1:-1],
    "in JSON, by numbers": coded,
    "in another case": str.upper,
}


def echo(make: Callable[[str], bytes]) -> Talk:
    """Answers each request with something made of its Authorization."""

    def talk(connection: socket.socket) -> None:
        while True:
            head, _ = hear(connection)
            (found,) = (line for line in head.splitlines() if line.startswith("Authorization"))
            connection.sendall(make(found.partition("Bearer ")[2]))

    return talk


@pytest.mark.parametrize("spell", SPELLINGS.values())
def test_an_echo_is_found_in_an_answer_that_holds_every_mark(spell: Callable[[str], str]) -> None:
    around = "100 % of A & B, C:\\D"
    found = Redactor(TOKEN).text(f"{around} {spell(TOKEN)} {around}")
    assert found == f"{around} {HIDDEN} {around}"


@pytest.mark.parametrize(("secret", "hidden"), [("abcd", True), ("abc", False), ("", False)])
def test_what_is_too_short_for_a_secret_is_left_as_it_is(secret: str, hidden: bool) -> None:
    text = f"of {secret} %"
    assert Redactor(secret).text(text) == (f"of {HIDDEN} %" if hidden else text)
    assert Redactor(secret).data(text.encode()) == (f"of {HIDDEN} %" if hidden else text).encode()


def outcome_of(make: Callable[[str], bytes]) -> Outcome:
    with far_side(echo(make)) as port:
        master = HttpMaster(f"http://{HOST}:{port}", TOKEN, clock=SystemClock())
        outcome = master.send(parcel())
        master.close()
    return outcome


def shown(outcome: Outcome) -> str:
    """All that is kept of it, as a page or a reader would undo its spelling."""
    text = repr(outcome)
    undone = [text, html.unescape(text), unquote(text), text.replace("\\\\", "\\").replace("\\/", "/")]
    undone.append(text.replace("\\\\u", "\\u").encode().decode("unicode-escape", errors="replace"))
    return "\n".join(undone).lower()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_token_is_hidden_when_a_page_echoes_the_request(spelling: str) -> None:
    written = SPELLINGS[spelling]
    outcome = outcome_of(lambda token: answer(500, f"<pre>Bearer {written(token)}</pre>".encode(), "text/html"))
    assert isinstance(outcome, Deferred)
    assert f"Bearer {HIDDEN}<" in outcome.exchange.answer_body
    assert TOKEN not in shown(outcome)


ANSWERS: dict[str, Callable[[str], bytes]] = {
    "a header": lambda token: answer(302, b"", "text/html", f"Location: /login?t={quote(token)}", f"X-Was: {token}"),
    "its reason phrase": lambda token: answer(500, b"", "text/html").replace(b"Said", f"No {token}".encode()),
    "no HTTP": lambda token: f"You said {token}\r\n\r\n".encode(),
    "a header that is none": lambda token: answer(200, b"{}", "a/b", f"Content-Length: {token}"),
    "a body that is cut for people": lambda token: answer(500, b"x" * 4090 + token.encode(), "text/html"),
    "no gzip": lambda token: answer(200, token.encode(), "text/html", "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("where", ANSWERS)
def test_the_token_is_hidden_when_it_stands_in(where: str) -> None:
    outcome = outcome_of(ANSWERS[where])
    assert isinstance(outcome, Deferred)
    assert TOKEN not in shown(outcome)
    assert TOKEN[:5] not in shown(outcome), "nor a part of it"


@pytest.mark.parametrize("dump", [json.dumps, slashed])
def test_the_token_is_hidden_in_the_masters_reasons(dump: Callable[[str], str]) -> None:
    def problem(token: str) -> bytes:
        words = dump(f"not for {token}")
        errors = f'[{{"detail": {words}, "pointer": {dump("/" + token.replace("~", ""))}}}, {{"detail": {words}}}]'
        return answer(422, f'{{"title": {words}, "errors": {errors}}}'.encode(), "application/problem+json")

    outcome = outcome_of(problem)
    assert isinstance(outcome, Rejected)
    assert outcome.detail == f"not for {HIDDEN}"
    assert {reason.detail for reason in outcome.reasons} == {f"not for {HIDDEN}"}
    assert TOKEN not in shown(outcome)


@given(secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=40))
def test_any_token_is_hidden_however_it_is_written(secret: str) -> None:
    hide = Redactor(secret)
    for written in SPELLINGS.values():
        assert hide.text(f"a {written(secret)} b") == f"a {HIDDEN} b"
        assert hide.data(f"a {written(secret)} b".encode()) == f"a {HIDDEN} b".encode()


def test_nothing_is_hidden_when_there_is_no_token() -> None:
    for secret in ("", "ab"):
        assert Redactor(secret).text("a table \\u00e9 %20") == "a table \\u00e9 %20"
        assert Redactor(secret).data(b"a table") == b"a table"
