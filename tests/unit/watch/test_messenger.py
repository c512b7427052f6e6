"""The roads of alerts, as the settings name them and as they are made."""

from itertools import product

from resultsq.settings import load
from resultsq.watch import messenger

SET = {
    "RESULTSQ_ALERT_WEBHOOK_URL": "https://hooks.example/x",
    "RESULTSQ_SMTP_URL": "smtp://mail.example",
    "RESULTSQ_ALERT_MAIL_TO": "op@results.example",
}


def test_the_settings_name_the_roads_that_there_are_whichever_of_them_are_set_up() -> None:
    seen = set()
    for chosen in product((False, True), repeat=len(SET)):
        environ = {name: value for (name, value), here in zip(SET.items(), chosen, strict=True) if here}
        settings = load(environ).settings
        assert settings.alert_channels == tuple(messenger.alert_channels(settings)), environ
        seen.add(settings.alert_channels)
    assert seen == {(), ("webhook",), ("mail",), ("webhook", "mail")}
