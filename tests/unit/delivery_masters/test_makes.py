"""The make of master by its URL, and what of the settings reaches it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from resultsq.delivery import masters
from resultsq.delivery.masters import Options, open_configured, open_master
from resultsq.delivery.masters.several import SeveralAddresses
from resultsq.domain.errors import SettingsError
from resultsq.domain.ports import Master
from resultsq.settings import Settings
from tests.support.manual_clock import ManualClock

CLOCK = ManualClock(datetime(2013, 12, 7, tzinfo=UTC))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Options]]:
    """What the makes of http and https were asked for."""
    found: list[tuple[str, Options]] = []

    def make(url: str, options: Options) -> Master:
        found.append((url, options))
        return cast(Master, found[-1])

    for scheme in ("http", "https"):
        monkeypatch.setitem(cast(dict[str, Callable[..., Master]], masters.MAKES), scheme, make)
    return found


def settings(**changes: Any) -> Settings:
    return Settings(**{"master_url": SecretStr("https://master.test"), **changes})


def test_nothing_is_risked_that_nobody_asked_for(made: list[tuple[str, Options]]) -> None:
    open_configured(settings(), CLOCK)
    open_master("https://master.test", "", clock=CLOCK)
    (url, options), other = made
    assert (url, options.token, options.ca_file, options.proxy) == ("https://master.test", "", None, "")
    assert (options.allow_plain_http, options.by_mail, options.reread_token) == (False, False, None)
    assert other == (url, Options("", CLOCK))


def test_what_the_settings_say_reaches_the_make(made: list[tuple[str, Options]], tmp_path: Path) -> None:
    said = settings(
        master_token=SecretStr("token"),
        master_ca_file=tmp_path / "ca.pem",
        master_proxy=SecretStr("http://proxy.test:1"),
        send_my_token_over_plain_http_where_anyone_can_read_it=True,
    )

    def reread() -> str:
        return "newer"

    open_configured(said, CLOCK, reread, by_mail=True)
    ((_, options),) = made
    assert (options.token, options.ca_file, options.proxy) == ("token", str(tmp_path / "ca.pem"), "http://proxy.test:1")
    assert (options.allow_plain_http, options.by_mail, options.reread_token) == (True, True, reread)


def test_several_addresses_are_one_master_and_one_is_itself(made: list[tuple[str, Options]]) -> None:
    assert open_master("http://one", "", clock=CLOCK) is cast(object, made[0])
    assert isinstance(open_master("http://one, HTTPS://two", "", clock=CLOCK), SeveralAddresses)
    assert [url for url, _ in made] == ["http://one", "http://one", "HTTPS://two"]


def test_a_node_without_a_master_says_so() -> None:
    with pytest.raises(SettingsError, match="RESULTSQ_MASTER_URL"):
        open_configured(Settings(), CLOCK)
