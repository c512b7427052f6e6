"""Relays as a setting names them, and how often one is asked what became of a submission."""

import pytest

from resultsq.domain.errors import SettingsError
from resultsq.domain.outcome import Rejected
from resultsq.domain.relay import (
    Known,
    RefusedThere,
    RelayAddress,
    ask_again_s,
    node_addresses,
    one_address,
    relay_addresses,
)

ONE, OTHER = (
    RelayAddress("https://one.example", "/etc/one"),
    RelayAddress("https://two.example:8443/x", "/etc/my token"),
)


def test_relays_are_read_in_the_order_of_the_setting() -> None:
    assert relay_addresses(f"{ONE.url}  {ONE.token_file},{OTHER.url} {OTHER.token_file}, ") == [ONE, OTHER]
    assert relay_addresses("") == []


def test_people_know_a_relay_by_its_host_and_port() -> None:
    assert (ONE.name, OTHER.name) == ("one.example:443", "two.example:8443")


@pytest.mark.parametrize("text", ["https://one.example", "one.example /etc/one", "https://a /x, https://b"])
def test_a_relay_is_refused_without_its_token_or_its_address(text: str) -> None:
    with pytest.raises(SettingsError):
        relay_addresses(text)


def test_one_node_is_one() -> None:
    assert one_address(f"{ONE.url} {ONE.token_file}") == ONE
    for text in ("", f"{ONE.url} /a, {ONE.url} /b"):
        with pytest.raises(SettingsError, match="It is one address"):
            one_address(text)


def test_other_nodes_are_addresses_without_a_slash_at_their_end() -> None:
    assert node_addresses("https://a.example/, http://b.example,") == ["https://a.example", "http://b.example"]
    with pytest.raises(SettingsError):
        node_addresses("https://a.example, b.example")


def test_a_relay_is_asked_after_half_a_minute_then_later_and_later_and_at_least_each_five_minutes() -> None:
    assert [ask_again_s(asked) for asked in (0, 1, 2)] == [30, 45, 67.5]
    waits = [ask_again_s(asked) for asked in range(100)]
    assert waits == sorted(waits)
    assert waits[7] == ask_again_s(100_000) == 300


def test_a_relays_answer_says_no_more_than_it_was_given() -> None:
    assert Known(Rejected("x", "No.")) == Known(Rejected("x", "No."), same_rows=False)
    assert RefusedThere("No.") == RefusedThere("No.", gone=False)
