"""Takes up new secrets while a worker runs: the files behind the settings are read each second, and at once when the
master refuses the token. So a token is rotated by writing its file, and nothing is restarted."""

import threading
from collections.abc import Callable

from resultsq import logs
from resultsq.domain.errors import SettingsError, StoreUnavailable
from resultsq.settings import Settings

LOOK_S = 1.0
_TAKEN_UP = frozenset(
    {"master_token", "alert_webhook_url", "webhook_proxy", "alert_mail_to", "alert_mail_from", "smtp_url"}
)
_log = logs.get("rotation")


class Rotation:
    """`take_up` is called with the settings as they are now, from this thread, until it has not raised."""

    def __init__(self, settings: Settings, take_up: Callable[[Settings], None]) -> None:
        self._settings = self._taken_up = settings
        self._take_up = take_up
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rotation", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def token(self) -> str:
        """The token as its file has it now; any thread may ask."""
        return self._reread().master_token.get_secret_value()

    def _reread(self) -> Settings:
        with self._lock:
            before, self._settings = self._settings, self._settings.renewed()
            if self._settings is not before:
                _tell(before, self._settings)
            return self._settings

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            settings = self._reread()
            if settings is not self._taken_up:
                self._apply(settings)

    def _apply(self, settings: Settings) -> None:
        try:
            self._take_up(settings)
        except StoreUnavailable:
            return  # at the next look
        except SettingsError as error:
            _log.warning("settings.refused", reason=str(error))
        except Exception:  # noqa: BLE001 - logged; a thread that ended here would follow no file any more
            _log.exception("settings.not_taken_up")
        self._taken_up = settings


def _tell(before: Settings, after: Settings) -> None:
    changed = {name for name in Settings.model_fields if getattr(before, name) != getattr(after, name)}
    _log.info("settings.renewed", names=sorted(changed & _TAKEN_UP))
    if left := sorted(changed - _TAKEN_UP):
        _log.warning("settings.restart_needed", names=left)
