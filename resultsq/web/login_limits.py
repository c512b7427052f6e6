"""How often a password may be tried: by one caller, for one name, and on a device that has logged in here before.

Only refusals count, so that a hall full of people behind one address can all log in. A device that has logged in with
a name before has a count of its own for it: strangers who guess at that name, or from that address, do not stop it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from flask import Flask, Response, after_this_request, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.exceptions import TooManyRequests

from resultsq.clock import Clock
from resultsq.domain.i18n import gettext
from resultsq.web.limits import RateLimiter, network

WITHIN_S = 300.0
OF_A_NAME_S = 900.0
MOST_OF_A_CALLER, MOST_OF_A_CALLER_AND_NAME, MOST_OF_A_NAME, MOST_OF_A_DEVICE = 100, 10, 50, 10
DEVICE_S = 400 * 24 * 3600
"""How long a device is known after its last log-in."""

_MOST_NAMES = 8


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """One try with a password. It counts as refused unless it is said that it was right."""

    own: tuple[RateLimiter, str]
    shared: tuple[tuple[RateLimiter, str], ...]

    def was_right(self) -> None:
        """It was who it said it was: forget the person's own tries, and take this one back where others count too."""
        tries, key = self.own
        tries.forget(key)
        for tries, key in self.shared:
            tries.take_back(key)


class LoginLimits:
    """The counts of one process. `guessed` is called with a name that many addresses try."""

    def __init__(self, clock: Clock, guessed: Callable[[str], None]) -> None:
        self._by_caller = RateLimiter(clock, MOST_OF_A_CALLER, WITHIN_S)
        self._by_caller_and_name = RateLimiter(clock, MOST_OF_A_CALLER_AND_NAME, WITHIN_S)
        self._by_name = RateLimiter(clock, MOST_OF_A_NAME, OF_A_NAME_S)
        self._by_device = RateLimiter(clock, MOST_OF_A_DEVICE, WITHIN_S)
        self._guessed = guessed

    def begin(self, name: str, address: str | None, device: str | None) -> LoginAttempt:
        """A try that may be made. `device` is a known one's id.

        :raises TooManyRequests: there were too many; this one must not be made."""
        caller = network(address)
        own, shared = (self._by_device, f"{device} {name}"), list[tuple[RateLimiter, str]]()
        if device is None:
            own = (self._by_caller_and_name, f"{caller} {name}")
            shared = [(self._by_caller, caller), (self._by_name, name)]
        asked = [own, *shared]
        for done, (tries, key) in enumerate(asked):
            wait_s = tries.take(key)
            if wait_s > 0:
                for earlier, of in asked[:done]:
                    earlier.take_back(of)
                if tries is self._by_name:
                    self._guessed(name)
                raise TooManyRequests(
                    gettext("Too many tries. Wait a few minutes and try again."), retry_after=int(wait_s) + 1
                )
        return LoginAttempt(own, tuple(shared))


# the device's cookie


def known_device(app: Flask, name: str) -> str | None:
    """The id of the device that this request comes from, if it has logged in with that name before."""
    names = _names(app)
    return sha256(request.cookies[_cookie(app)].encode()).hexdigest() if _short(name) in names else None


def remember_device(app: Flask, name: str) -> None:
    """Let this request's device be known as one that has logged in with that name."""
    kept = [_short(name), *(one for one in _names(app) if one != _short(name))][:_MOST_NAMES]
    value = _signer(app).dumps(kept)

    @after_this_request
    def _set(response: Response) -> Response:
        secure = app.config["SESSION_COOKIE_SECURE"]
        response.set_cookie(_cookie(app), value, DEVICE_S, secure=secure, httponly=True, samesite="Lax")
        return response


def _names(app: Flask) -> list[str]:
    try:
        names: list[str] = _signer(app).loads(request.cookies.get(_cookie(app), ""), max_age=DEVICE_S)
    except BadSignature:
        return []
    return names


def _cookie(app: Flask) -> str:
    return f"{app.config['SESSION_COOKIE_NAME']}_device"


def _signer(app: Flask) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(app.config["SECRET_KEY"], salt="resultsq device")


def _short(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:16]
