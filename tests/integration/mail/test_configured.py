"""What the settings make of the mail server."""

from pydantic import SecretStr

from resultsq.clock import SystemClock
from resultsq.delivery.mail.configured import credentials, mail_server
from resultsq.settings import Settings
from resultsq.store.engine.session import Database


def at(url: str) -> Settings:
    return Settings(smtp_url=SecretStr(url))


def test_other_credentials_are_told_from_these_and_are_not_shown() -> None:
    these = credentials(at("smtp://me:secret-word@mail.test"))
    assert these == credentials(at("smtp://me:secret-word@mail.test"))
    others = ("smtp://me:other@mail.test", "smtp://you:secret-word@mail.test", "smtp://me:secret-word@other.test")
    assert len({these, *(credentials(at(url)) for url in others)}) == 4
    assert "secret-word" not in these


def test_mails_go_nowhere_when_no_server_is_set(sqlite_store: Database) -> None:
    assert mail_server(at(""), sqlite_store, SystemClock()) is None
    made = mail_server(at("smtp://127.0.0.1"), sqlite_store, SystemClock())
    assert made is not None
    made.close()
