"""URLs of the settings: the parts that are used, the ports that are meant, and which way a token may go."""

import pytest

from resultsq.domain.destinations import (
    Address,
    check_broker,
    check_database,
    check_mail_address,
    check_public,
    check_token_is_private,
    is_loopback,
    is_mail_address,
    is_private,
    mail_addresses,
    mail_parts,
    master_urls,
    uses_tls,
    webhook_parts,
)
from resultsq.domain.errors import SettingsError


@pytest.mark.parametrize(
    ("url", "address", "written"),
    [
        ("https://master.example", Address("https", "master.example", 443, ""), "https://master.example:443"),
        ("http://master.example/", Address("http", "master.example", 80, ""), "http://master.example:80"),
        ("https://M.example:8443/a/b/", Address("https", "m.example", 8443, "/a/b"), "https://m.example:8443/a/b"),
        ("http://[::1]:8080", Address("http", "::1", 8080, ""), "http://[::1]:8080"),
    ],
)
def test_a_masters_address_has_the_usual_port_where_none_is_named(url: str, address: Address, written: str) -> None:
    assert Address.parse(url) == address
    assert address.url == written


@pytest.mark.parametrize(
    "url",
    ["ftp://master.example", "https://", "https://host?x=1", "https://host#x", "https://me@h", "https://host:port"],
)
def test_what_is_more_or_less_than_an_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="The master's URL is"):
        Address.parse(url)


def test_a_master_may_have_several_addresses_and_a_database_several_hosts() -> None:
    assert master_urls("http://a.example, https://b.example,") == ["http://a.example", "https://b.example"]
    assert master_urls("postgresql+psycopg://a,b/name") == ["postgresql+psycopg://a,b/name"]
    for empty in (",", " "):
        with pytest.raises(SettingsError):
            master_urls(empty)


@pytest.mark.parametrize(
    ("urls", "tls"),
    [("", False), ("http://a", False), ("http://a,https://b", True), ("sqlite:///file", False)],
)
def test_a_certificate_is_checked_where_one_address_has_tls(urls: str, tls: bool) -> None:
    assert uses_tls(urls) is tls


@pytest.mark.parametrize(
    ("url", "port"), [("http://h.example/x", 80), ("https://h.example/x", 443), ("https://h.example:8443/x", 8443)]
)
def test_a_webhook_has_the_usual_port_where_none_is_named(url: str, port: int) -> None:
    parts, found = webhook_parts(url)
    assert (parts.hostname, parts.path, found) == ("h.example", "/x", port)


@pytest.mark.parametrize("url", ["ftp://h.example/x", "https:///x"])
def test_a_webhook_is_refused_without_a_host_or_a_scheme_that_is_known(url: str) -> None:
    with pytest.raises(SettingsError):
        webhook_parts(url)


def test_a_mail_server_has_a_host_and_no_port_0() -> None:
    parts = mail_parts("smtps://me:secret@mail.example:1")
    assert (parts.scheme, parts.hostname, parts.port, parts.username) == ("smtps", "mail.example", 1, "me")
    assert mail_parts("smtp://mail.example").port is None
    for url in ("smtp://mail.example:0", "smtp://", "http://mail.example"):
        with pytest.raises(SettingsError):
            mail_parts(url)


@pytest.mark.parametrize(
    ("text", "good"),
    [("a@b", True), ("jane.smith+run@example.org", True), ("a@b,c@d", False), ("a b@c", False), ("a@b.", False),
     ("@b", False), ("a" * 64 + "@b", True), ("a" * 65 + "@b", False), ("a@" + "b" * 189, True),
     ("a@" + "b" * 190, False), ("a@b\n", False)],
)  # fmt: skip
def test_a_mail_address_is_that_of_one_mailbox(text: str, good: bool) -> None:
    assert is_mail_address(text) is good
    if good:
        check_mail_address(text)
    else:
        with pytest.raises(SettingsError):
            check_mail_address(text)


def test_mail_addresses_are_separated_by_commas() -> None:
    assert mail_addresses(" a@b , c@d,") == ["a@b", "c@d"]
    assert mail_addresses("") == []
    with pytest.raises(SettingsError):
        mail_addresses("a@b, c")


@pytest.mark.parametrize("url", ["redis://host:6379/0", "rediss://host", "redis+socket:///run/broker.sock"])
def test_a_broker_has_a_host_or_a_path(url: str) -> None:
    check_broker(url)


@pytest.mark.parametrize("url", ["redis://", "http://host"])
def test_a_broker_is_refused_when_it_has_neither_or_is_none(url: str) -> None:
    with pytest.raises(SettingsError):
        check_broker(url)


def test_people_open_an_address_with_a_host_over_http() -> None:
    check_public("http://results.example")
    check_public("https://results.example")
    for url in ("ftp://results.example", "https://"):
        with pytest.raises(SettingsError):
            check_public(url)


def test_the_nodes_database_is_of_a_kind_that_is_known() -> None:
    check_database("SQLite:///file")
    check_database("postgresql+psycopg://host/name")
    for url in ("mysql://host/name", "sqlite"):
        with pytest.raises(SettingsError):
            check_database(url)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.9", True), ("::1", True), ("10.0.0.1", False), ("localhost.example", False)],
)
def test_only_this_machine_is_a_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("url", "proxy", "private"),
    [
        ("https://master.example", None, True),
        ("https://master.example", "proxy.example", True),
        ("http://master.example", None, False),
        ("http://master.example", "127.0.0.1", False),
        ("http://127.0.0.1:8080", None, True),
        ("http://127.0.0.1:8080", "localhost", True),
        ("http://127.0.0.1:8080", "proxy.example", False),
    ],
)
def test_a_token_goes_by_tls_or_within_this_machine(url: str, proxy: str | None, private: bool) -> None:
    assert is_private(Address.parse(url), proxy) is private
    if private:
        check_token_is_private(url, proxy)
    else:
        with pytest.raises(SettingsError, match="plain http"):
            check_token_is_private(f"https://master.example,{url}", proxy)
