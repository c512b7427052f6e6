"""A proxy as a setting names it."""

import base64

import pytest

from resultsq.domain.errors import SettingsError
from resultsq.domain.proxy import Proxy


def test_a_proxy_has_a_host_and_the_port_of_http_where_none_is_named() -> None:
    assert Proxy.parse("") is None
    assert Proxy.parse("http://proxy.example") == Proxy("proxy.example", 80, {})
    assert Proxy.parse("http://proxy.example:3128/") == Proxy("proxy.example", 3128, {})


@pytest.mark.parametrize(
    ("url", "pair"), [("http://me:p%3Aa@proxy", b"me:p:a"), ("http://me@proxy", b"me:"), ("http://:pa@proxy", b":pa")]
)
def test_a_proxy_gets_its_credentials_and_nothing_that_is_printed_has_them(url: str, pair: bytes) -> None:
    proxy = Proxy.parse(url)
    assert proxy is not None
    basic = base64.b64encode(pair).decode()
    assert proxy.headers == {"Proxy-Authorization": f"Basic {basic}"}
    assert basic not in repr(proxy)


@pytest.mark.parametrize(
    "url",
    ["https://proxy", "proxy:3128", "http://", "http://proxy/x", "http://proxy?x", "http://proxy#x", "http://p:x"],
)
def test_what_is_no_proxy_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="It is http://host:port"):
        Proxy.parse(url)
