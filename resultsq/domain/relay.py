"""A relay as the node sees it that hands submissions to it: what it is called, and what its answers mean."""

import re
from dataclasses import dataclass

from resultsq.domain.destinations import Address, check_public
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext
from resultsq.domain.outcome import Accepted, Conflict, Rejected

ASK_FIRST_S = 30.0
ASK_LATEST_S = 300.0
MOST_UNANSWERED = 3
"""After so many calls without an answer another relay is tried."""


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """A relay of the settings. `name`: its host, by which people know it."""

    url: str
    token_file: str

    @property
    def name(self) -> str:
        address = Address.parse(self.url)
        return f"{address.host}:{address.port}"


def relay_addresses(text: str) -> list[RelayAddress]:
    """The relays of a setting, in its order: each an address and the file of a token, with a space between them.

    :raises SettingsError: one is not written so"""
    return [_relay(one.strip()) for one in text.split(",") if one.strip()]


def one_address(text: str) -> RelayAddress:
    """The one node of a setting, written as a relay is.

    :raises SettingsError: it is not written so, or names several"""
    found = relay_addresses(text)
    if len(found) != 1:
        raise SettingsError(gettext("It is one address and the file of a token: https://node.example /etc/node-token."))
    return found[0]


def node_addresses(text: str) -> list[str]:
    """The addresses of a setting at which people reach other nodes, without a slash at the end.

    :raises SettingsError: one is no http(s) address"""
    found = [one.strip().rstrip("/") for one in text.split(",") if one.strip()]
    for one in found:
        check_public(one)
    return found


def _relay(text: str) -> RelayAddress:
    parts = re.split(r"\s+", text, maxsplit=1)
    if len(parts) != 2:
        raise SettingsError(
            gettext("A relay is an address and the file of its token: https://relay.example /etc/relay-token.")
        )
    Address.parse(parts[0])
    return RelayAddress(parts[0], parts[1])


def ask_again_s(asked: int) -> float:
    """How long to wait before the relay is asked again, after so many times."""
    return min(ASK_LATEST_S, ASK_FIRST_S * 1.5 ** min(asked, 10))


@dataclass(frozen=True, slots=True)
class InCustody:
    """The relay has stored it, and will publish it."""


@dataclass(frozen=True, slots=True)
class Known:
    """The relay passes on how the master settled it. `same_rows`: a conflict with equal rows under another id."""

    outcome: Accepted | Rejected | Conflict
    same_rows: bool = False


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The relay does not have it: send it again."""


@dataclass(frozen=True, slots=True)
class RefusedThere:
    """The relay answered that it does not take it, or where it has it (`gone`), that it will not publish it."""

    detail: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer of the relay's. `sent`: it may have stored it all the same."""

    detail: str
    sent: bool


RelayAnswer = InCustody | Known | NotKnown | RefusedThere | NoAnswer
