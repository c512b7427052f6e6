"""At which address people reach a node."""

from pathlib import Path

import pytest

from resultsq import address
from resultsq.settings import Settings


def _settings(data_dir: Path, **given: object) -> Settings:
    return Settings.model_validate({"data_dir": data_dir, "host": "127.0.0.1", "port": 8080, **given})


def test_the_setting_goes_before_what_was_noted_and_that_before_what_is_listened_on(tmp_path: Path) -> None:
    assert address.public_address(_settings(tmp_path)) == "http://127.0.0.1:8080"
    address.note(tmp_path, "http://192.168.1.20:8080")
    assert address.public_address(_settings(tmp_path)) == "http://192.168.1.20:8080"
    given = _settings(tmp_path, public_url="https://results.example.org/")
    assert address.public_address(given) == "https://results.example.org"


@pytest.mark.parametrize(
    ("host", "reaches"),
    [("127.0.0.1", None), ("localhost", None), ("::1", None), ("192.168.1.20", "http://192.168.1.20:80"),
     ("fd00::2", "http://[fd00::2]:80")],
)  # fmt: skip
def test_a_phone_reaches_what_is_not_loopback(host: str, reaches: str | None) -> None:
    assert address.phone_url(host, 80) == reaches
