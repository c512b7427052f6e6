"""The channels of alerts, as the settings name them."""

from itertools import product

import pytest

from resultsq.domain.errors import SettingsError
from resultsq.settings_sources import load
from resultsq.watch import messenger

SET = {
    "RESULTSQ_ALERT_WEBHOOK_URL": "https://hooks.example/x",
    "RESULTSQ_ALERT_COMMAND": "logger -t resultsq",
    "RESULTSQ_SMTP_URL": "smtp://mail.example",
    "RESULTSQ_ALERT_MAIL_TO": "op@results.example, night@results.example",
}


def test_the_settings_name_the_channels_that_there_are_whichever_of_them_are_set_up() -> None:
    seen = set()
    for chosen in product((False, True), repeat=len(SET)):
        environ = {name: value for (name, value), here in zip(SET.items(), chosen, strict=True) if here}
        settings = load(environ).settings
        assert tuple(messenger.alert_channels(settings)) == tuple(
            one for one in settings.alert_channels if one != "mail"
        )
        seen.add(settings.alert_channels)
    assert len(seen) == 8, "mail needs a server and an address"


@pytest.mark.parametrize("address", ["ops", "ops@", "a@b, c", "ops@example.org\nBcc: x", "Ops <ops@example.org>"])
def test_an_address_of_operators_is_refused_when_it_is_none(address: str) -> None:
    with pytest.raises(SettingsError, match="ALERT_MAIL_TO is"):
        load({"RESULTSQ_ALERT_MAIL_TO": address})
