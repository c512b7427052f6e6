"""Where settings come from, and every fault in them.

Values come from the defaults, then a TOML file (`RESULTSQ_CONFIG`, else config/resultsq.toml where it
exists), then `RESULTSQ_<NAME>` in the environment, then `RESULTSQ_<NAME>_FILE`, whose content is the value (for
secrets that are mounted as files). A key that is no setting is an error that names it and its likeliest neighbour.
"""

import difflib
import os
import ssl
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from resultsq.domain import destinations
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.invalid import in_words, listed
from resultsq.domain.proxy import Proxy
from resultsq.secret_files import content
from resultsq.settings import PREFIX, Loaded, Settings

_DEFAULT = gettext_noop("its default")
CONFIG_KEY = f"{PREFIX}CONFIG"
COMMAND_LINE = gettext_noop("command line")
DEFAULT_CONFIG = Path("config/resultsq.toml")


def load(environ: Mapping[str, str] | None = None, *, calls_master: bool = False, **overrides: object) -> Loaded:
    """The settings in force. `overrides` are the command line's; None means "not given".

    :param calls_master: what loads them is about to call the master, so the master's CA file must be usable
    :raises SettingsError: for unknown keys, values that make no sense, and files that cannot be read; all at once"""
    found = _Found()
    found.read(os.environ if environ is None else environ)
    found.take({name: value for name, value in overrides.items() if value is not None}, COMMAND_LINE)
    settings = found.settings(calls_master)
    settings.follow({name: path for name, path in found.files.items() if name not in overrides})
    return Loaded(settings=settings, origin=found.origin)


class _Found:
    """What the sources say, and each fault in it."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.origin: dict[str, str] = {}
        self.files: dict[str, Path] = {}
        self._faults: list[str] = []

    def read(self, environ: Mapping[str, str]) -> None:
        path = Path(environ[CONFIG_KEY]) if environ.get(CONFIG_KEY) else DEFAULT_CONFIG
        if environ.get(CONFIG_KEY) or path.exists():
            try:
                self.take(_toml(path), str(path))
            except SettingsError as error:
                self._faults.append(str(error))
        for key, value in environ.items():
            if key.startswith(PREFIX) and key != CONFIG_KEY:
                self._take_variable(key, value)

    def take(self, found: Mapping[str, Any], where: str) -> None:
        for name, value in found.items():
            if name not in Settings.model_fields:
                self._faults.append(_unknown(name, where))
                continue
            self.values[name] = value
            self.origin[name] = where

    def settings(self, calls_master: bool) -> Settings:
        """:raises SettingsError: something is wrong; every fault is named"""
        faults, settings = list(self._faults), None
        try:
            settings = Settings.model_validate(self.values)
        except ValidationError as error:
            wrong = {str(one.place[0]): in_words(one) for one in listed(error)}
            faults += [self._no_sense(name, why) for name, why in wrong.items()]
            if wrong.keys() <= self.values.keys():  # values that are right alone may not go together
                settings = Settings.model_validate({name: self.values[name] for name in self.values.keys() - wrong})
        if settings is not None:
            faults += [self._no_sense(name, why) for name, why in _faults_together(settings)]
            if calls_master and (why := _fault_of_ca_file(settings)) is not None:
                faults.append(self._no_sense("master_ca_file", why))
            if calls_master and (why := _fault_of_dkim_key(settings)) is not None:
                faults.append(self._no_sense("dkim_key_file", why))
            if not faults:
                return settings
        heading = [gettext("{number} settings are wrong:", number=len(faults))] if len(faults) > 1 else []
        raise SettingsError("\n  ".join([*heading, *faults])) from None

    def _take_variable(self, key: str, value: str) -> None:
        name = key.removeprefix(PREFIX).lower()
        if not name.endswith("_file") or name in Settings.model_fields:
            self.take({name: value}, key)
            return
        name = name.removesuffix("_file")
        try:
            self.take({name: content(Path(value), key)}, key)
        except SettingsError as error:
            self._faults.append(str(error))
        self.files[name] = Path(value)

    def _no_sense(self, name: str, why: str) -> str:
        said = gettext("The setting {name} (from {where}) makes no sense: {reason}")
        return said.format(name=name, where=gettext(self.origin.get(name, _DEFAULT)), reason=why)


def _faults_together(settings: Settings) -> Iterator[tuple[str, str]]:
    """Contradictions, by the setting to change. Not checked when a secret is renewed."""
    proxy = Proxy.parse(settings.master_proxy.get_secret_value())
    allowed = settings.send_my_token_over_plain_http_where_anyone_can_read_it
    try:
        if settings.master_token.get_secret_value() and settings.master_url.get_secret_value() and not allowed:
            destinations.check_token_is_private(settings.master_url.get_secret_value(), proxy.host if proxy else None)
    except SettingsError as error:
        yield "master_url", str(error)


def _fault_of_ca_file(settings: Settings) -> str | None:
    """Why no certificate of the master could be checked against it; it is read only where there is one to check."""
    path, urls = settings.master_ca_file, settings.master_url.get_secret_value()
    if path is None or not destinations.uses_tls(urls):
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return gettext("The file {path} holds no certificates.", path=path)
    except OSError as error:
        return gettext("The file {path} cannot be read: {reason}.", path=path, reason=error.strerror)
    return None


def _fault_of_dkim_key(settings: Settings) -> str | None:
    """Why no mail could be signed with it."""
    if settings.dkim_key_file is None:
        return None
    from resultsq import dkim_key  # brings a library that most nodes need for nothing else

    try:
        dkim_key.signer(settings.dkim_key_file, settings.dkim_selector, "localhost")
    except SettingsError as error:
        return str(error)
    return None


def _unknown(name: str, where: str) -> str:
    close = difflib.get_close_matches(name, Settings.model_fields, n=1)
    said = [gettext("There is no setting called {name} ({where}).", name=name, where=gettext(where))]
    if close:
        said.append(gettext("Did you mean {name}?", name=close[0]))
    return " ".join([*said, gettext("`resultsq settings` lists them all.")])


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(
            gettext("The settings file {path} cannot be read: {reason}.", path=path, reason=error.strerror)
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            gettext("The settings file {path} is no TOML ({reason}).", path=path, reason=error)
        ) from None
