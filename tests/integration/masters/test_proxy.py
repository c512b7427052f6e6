"""A master behind a proxy: asked to connect, with credentials, within the time of the call, and told apart."""

import re
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from resultsq.clock import SystemClock
from resultsq.delivery.masters import open_master
from resultsq.delivery.masters.dial import Address
from resultsq.delivery.masters.http import HttpMaster
from resultsq.delivery.masters.timeouts import CallTimeouts
from resultsq.domain.errors import SettingsError
from resultsq.domain.outcome import Accepted, Cause, Deferred
from resultsq.domain.proxy import Proxy
from tests.integration.masters.far import parcel
from tests.support.certificates import write as write_certificates
from tests.support.forward_proxy import ForwardProxy
from tests.support.processes import OtherMaster
from tests.support.services import HOST

TOKEN = "the-secret-token"
USER = "node:p%3A%20ss"  # its password is "p: ss"


def opened(url: str, proxy: str, **options: object) -> HttpMaster:
    found = Proxy.parse(proxy)
    return HttpMaster(url, TOKEN, clock=SystemClock(), proxy=found, **options)  # type: ignore[arg-type]


def test_a_sheet_is_published_through_a_proxy_that_wants_credentials() -> None:
    with OtherMaster() as server, ForwardProxy("node:p: ss") as proxy:
        master = opened(server.url, f"http://{USER}@{HOST}:{proxy.port}")
        assert master.probe().cause is None
        for _ in range(2):
            assert isinstance(master.send(parcel(f"e{time.monotonic_ns()}")), Accepted)
        master.close()
        assert proxy.targets == [f"{HOST}:{server.port}"] * 2, "one for the probe, one that was kept"


def test_the_proxy_sees_nothing_but_the_masters_address_over_tls(tmp_path: Path) -> None:
    papers = write_certificates(tmp_path)
    with OtherMaster(certificate=papers / "good.pem") as server, ForwardProxy() as proxy:
        master = opened(server.url, proxy.url, ca_file=str(papers / "authority.pem"))
        assert isinstance(master.send(parcel()), Accepted)
        stranger = opened(server.url, proxy.url)
        assert stranger.probe().cause is Cause.TLS, "a certificate is checked behind a proxy too"
        for one in (master, stranger):
            one.close()
        assert TOKEN not in "".join(proxy.heads)
        assert set(proxy.targets) == {f"{HOST}:{server.port}"}


def test_the_masters_name_is_the_proxys_to_resolve() -> None:
    def nameserver(host: str, port: int) -> Sequence[Address]:
        assert host == "proxy.test"
        return [(socket.AF_INET, (HOST, port))]

    with OtherMaster() as server, ForwardProxy(names={"master.test": server.port}) as proxy:
        url = f"http://proxy.test:{proxy.port}"
        master = opened("http://master.test", url, lookup=nameserver, allow_plain_http=True)
        assert isinstance(master.send(parcel()), Accepted)
        master.close()
        assert proxy.targets == ["master.test:80"]


REFUSALS = {
    "its credentials are refused": ({"user": "node:other"}, Cause.UNREACHABLE, "refuses this node's credentials .407."),
    "it finds no way": ({"names": {HOST: 1}}, Cause.UNREACHABLE, "opens no way to the master .502 Bad Gateway."),
    "it is no proxy": ({"answer": b"SSH-2.0-OpenSSH\r\n\r\n\r\n"}, Cause.UNREACHABLE, "not speak like a proxy"),
    "it says too much": (
        {"answer": b"HTTP/1.1 200 " + b"x" * 20_000},
        Cause.UNREACHABLE,
        "does not speak like a proxy",
    ),
    "it cuts the connection": ({"answer": b"HTTP/1.1 2"}, Cause.RESET, "The proxy cut the connection"),
    # two limits end together: of the call, and of the socket
    "it is silent": ({"answer": b""}, Cause.NO_ANSWER, "no (whole answer within|answer came in time)"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_nothing_was_sent_and_the_proxy_is_named_when(case: str) -> None:
    options, cause, words = REFUSALS[case]
    quick = CallTimeouts(probe_s=1.0, receipt_s=1.0, send_s=1.0)
    with OtherMaster() as server, ForwardProxy(**options) as proxy:  # type: ignore[arg-type]
        master = opened(server.url, f"http://node:secret-word@{HOST}:{proxy.port}", limits=quick)
        outcome = master.send(parcel())
        probe = master.probe()
        master.close()
        assert isinstance(outcome, Deferred)
        assert (outcome.cause, outcome.in_doubt, probe.cause) == (cause, False, cause)
        assert re.search(words, outcome.detail)
        assert "secret-word" not in repr(outcome)
        assert not server.report()["puts"]


def test_the_proxy_is_named_when_nothing_listens_there(free_port: Callable[[], int]) -> None:
    master = opened("https://master.test", f"http://{HOST}:{free_port()}")
    probe = master.probe()
    master.close()
    assert probe.cause is Cause.REFUSED
    assert "The proxy on the way to the master cannot be reached." in probe.detail


@pytest.mark.parametrize(
    ("url", "proxy", "private"),
    [
        (f"http://{HOST}:1", "http://127.0.0.1:2", True),
        (f"http://{HOST}:1", "http://proxy.test:2", False),
        ("http://master.test", "http://127.0.0.1:2", False),
        ("https://master.test", "http://proxy.test:2", True),
    ],
)
def test_a_token_passes_a_proxy_in_clear_only_on_this_machine(url: str, proxy: str, private: bool) -> None:
    if private:
        opened(url, proxy).close()
        return
    with pytest.raises(SettingsError, match="everyone on the way could read"):
        opened(url, proxy)


@pytest.mark.parametrize(
    "url", ["proxy:3128", "https://proxy:3128", "http://", "http://p:x", "http://p/path", "http://p?q", "socks5://p:1"]
)
def test_a_proxy_is_refused_without_its_password_when_its_url_makes_no_sense(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^It is http://host:port") as refused:
        Proxy.parse(url.replace("://", "://node:secret-word@"))
    assert "secret-word" not in str(refused.value)


def test_a_proxy_is_not_for_the_masters_database() -> None:
    with pytest.raises(SettingsError, match="not for its database"):
        open_master("sqlite://", TOKEN, clock=SystemClock(), proxy="http://proxy:3128")
