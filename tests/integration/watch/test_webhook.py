"""A webhook is told by one request, with nothing of the environment's in it, through a proxy where that is set."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resultsq.domain.errors import SettingsError
from resultsq.domain.proxy import Proxy
from resultsq.watch import webhook
from resultsq.watch.unsent import Unsent, within
from tests.support.certificates import write as write_certificates
from tests.support.far_side import Talk, answer, far_side, hear, over_tls, reset
from tests.support.forward_proxy import ForwardProxy
from tests.support.services import HOST
from tests.support.waiting import wait_until

TIMEOUT_S = 5.0


class Hook:
    """Answers each POST so, and keeps what it heard."""

    def __init__(self, said: bytes = answer(204, b"")) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._said = said

    def __call__(self, connection: socket.socket) -> None:
        self.heard.append(hear(connection))
        connection.sendall(self._said)


def post(port: int, path: str = "/hook", *, proxy: str = "", scheme: str = "http", user: str = "") -> None:
    found = Proxy.parse(proxy)
    webhook.post(f"{scheme}://{user}{HOST}:{port}{path}", found, {"subject": "s"}, TIMEOUT_S)


@pytest.fixture
def papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Certificates whose authority this machine trusts."""
    folder = write_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    return folder


def test_no_credentials_of_a_netrc_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text(f"machine {HOST} login someone password s3cret\ndefault login a password b\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    hook = Hook()
    with far_side(hook) as port:
        post(port)
    ((head, body),) = hook.heard
    assert head.startswith("POST /hook HTTP/1.1\r\n")
    assert "authorization" not in head.lower()
    assert body == b'{"subject": "s"}'


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook()
    with far_side(hook) as port, ForwardProxy() as other:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, other.url)
        post(port)
        assert (len(hook.heard), other.heads) == (1, [])


def test_the_proxy_of_the_settings_is_asked_with_its_credentials(papers: Path) -> None:
    hook = Hook()
    with ForwardProxy("node:pass") as proxy:
        with far_side(hook) as port:
            post(port, proxy=proxy.url)
        with far_side(over_tls(papers / "good.pem", hook)) as secure:
            post(secure, proxy=proxy.url, scheme="https")
        assert proxy.targets == [f"{HOST}:{port}", f"{HOST}:{secure}"]
        assert len(hook.heard) == 2
        assert "proxy-authorization" not in "".join(head for head, _ in hook.heard).lower()
        with pytest.raises(OSError, match="407"):
            post(port, proxy=f"http://node:other@{HOST}:{proxy.port}")


@pytest.mark.parametrize("certificate", ["expired.pem", "other.pem"])
def test_nothing_is_told_when_the_certificate_is_anothers(certificate: str, papers: Path) -> None:
    hook = Hook()
    with far_side(over_tls(papers / certificate, hook)) as port, pytest.raises(OSError, match="CERTIFICATE_VERIFY"):
        post(port, scheme="https")
    assert not hook.heard


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(302, b"", "text/html", "Location: /login"), "answered 302"),
        (answer(500, b"no"), "answered 500"),
        (HINTS + answer(500, b"no"), "answered 500"),
        (b"SSH-2.0\r\n", "speaks no HTTP"),
        (b"", "Remote end closed"),
    ],
)
def test_it_was_not_told_when_the_answer_is_no_yes(said: bytes, words: str) -> None:
    with far_side(Hook(said)) as port, pytest.raises(OSError, match=words):
        post(port)


def test_it_was_told_when_the_yes_comes_after_interim_answers() -> None:
    hook = Hook(2 * HINTS + answer(200, b"ok"))
    with far_side(hook) as port:
        post(port, "/a path/ü?token=x%20y&z=ü", user="me:p%40ss@")
    ((head, _),) = hook.heard
    assert head.startswith("POST /a%20path/%C3%BC?token=x%20y&z=%C3%BC HTTP/1.1\r\n")
    assert "Authorization: Basic bWU6cEBzcw==" in head


@pytest.mark.parametrize("url", ["", "hook.example/x", "ftp://hook/x", "https://", "https://h:x/"])
def test_a_url_is_refused_when_it_is_no_webhooks(url: str) -> None:
    with pytest.raises(SettingsError, match="It is http"):
        webhook.post(url, None, {}, TIMEOUT_S)


def drips(connection: socket.socket) -> None:
    hear(connection)
    while True:
        connection.sendall(b"H")
        time.sleep(0.03)


def no_message_hangs() -> bool:
    return "message" not in {thread.name for thread in threading.enumerate()}


@pytest.fixture(autouse=True)
def free_places() -> Iterator[None]:
    """Messages of this process share four places: a test begins with all of them, and leaves none taken."""
    wait_until(no_message_hangs, 60, "the end of the messages before")
    yield
    wait_until(no_message_hangs, 60, "the end of this test's messages")


@pytest.fixture
def dripping(free_places: None) -> Iterator[int]:
    with far_side(drips) as port:
        yield port


def test_a_message_ends_in_time_when_the_answer_has_no_end(dripping: int) -> None:
    began = time.monotonic()
    with pytest.raises(Unsent, match=r"not sent within 0\.3 s"):
        within(0.3, lambda: post(dripping))
    assert time.monotonic() - began < TIMEOUT_S, "a piece at a time, no limit of the socket's would have ended it"


def test_no_more_than_four_messages_hang_at_once(dripping: int) -> None:
    def hang(_: int) -> str:
        with pytest.raises(Unsent) as refused:
            within(0.05, lambda: post(dripping))
        return str(refused.value)

    assert [hang(n) for n in range(6)].count("Earlier messages still hang.") == 2


@pytest.mark.parametrize("talk", [reset])
def test_what_went_wrong_is_raised_where_it_is_waited_for(talk: Talk, free_port: Callable[[], int]) -> None:
    with pytest.raises(ConnectionRefusedError):
        within(5, lambda: post(free_port()))
    with far_side(talk) as port, pytest.raises(ConnectionError):
        within(5, lambda: post(port))
