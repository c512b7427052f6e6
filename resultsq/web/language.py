"""Which language a page speaks: what its reader chose, what the browser asks for, or what the event speaks.

The choice of a person who is logged in holds on all devices; others have it in a cookie. A page that anybody may cache
knows neither: its address says the language, or the browser does.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, Response, g, has_request_context, redirect, request
from flask_babel import get_locale, get_translations
from flask_babel import gettext as _
from jinja2 import pass_context
from jinja2.runtime import Context
from werkzeug.datastructures import LanguageAccept
from werkzeug.exceptions import BadRequest
from werkzeug.http import parse_accept_header, parse_cookie
from werkzeug.wrappers import Response as Answer

from resultsq import languages
from resultsq.app import people
from resultsq.domain import cldr
from resultsq.domain.collation import ordered
from resultsq.domain.current_language import ENGLISH_LANGUAGE, Language
from resultsq.domain.isolates import isolated
from resultsq.web.auth import account, account_if_known, rule
from resultsq.web.node import node

COOKIE = "language"
COOKIE_S = 365 * 86_400

blueprint = Blueprint("language", __name__)


def install(app: Flask) -> None:
    """Give the templates what they need for the language's switch."""
    app.register_blueprint(blueprint)
    counted: Any = app.jinja_env.globals["ngettext"]
    app.jinja_env.globals.update(
        language=spoken,
        own_language=lambda: languages.own_name(_code()),
        direction=direction,
        languages=choices,
        every_language=every,
        here=_here,
        ngettext=_counting(counted),
    )
    app.jinja_env.filters.update(number=cldr.number, listed=cldr.listed, isolated=isolated)


def _counting(shown: Callable[..., str]) -> Callable[..., str]:
    """Plurals of templates whose number is written as the language writes it."""

    @pass_context
    def ngettext(context: Context, one: str, many: str, number: int, **values: object) -> str:
        return shown(context, one, many, number, **{"num": cldr.number(number), **values})

    return ngettext


def select() -> str:
    """The language of the request that is being served."""
    return asked() or g.get("event_language") or languages.ENGLISH


def asked() -> str | None:
    """The language that the reader chose, or that the browser asks for; None: none that is there."""
    return languages.best(_wishes())


def _wishes() -> list[str]:
    asked = [request.args.get("language", "")]
    if not g.get("for_everybody"):
        who = account_if_known()
        asked += [who.language or "" if who is not None else "", request.cookies.get(COOKIE, "")]
    return [one for one in (*asked, *request.accept_languages.values()) if one]


def for_everybody() -> None:
    """To be called before anything is written: this page may be cached for other people."""
    g.for_everybody = True


def event_speaks(code: str | None) -> None:
    """To be called before anything is written: the page is about an event with that language."""
    g.event_language = languages.known(code) if code else None


def of_request() -> Language:
    """The language of the request that is being served; outside of requests English."""
    if not has_request_context():
        return ENGLISH_LANGUAGE
    if "language" not in g:
        g.language = Language(_code(), get_translations(), isolates=direction() == "rtl")
    found: Language = g.language
    return found


def of_head(headers: Mapping[str, str]) -> Language:
    """The language of a request that the application does not see. `headers` are named as in WSGI, without `HTTP_`."""
    chosen = parse_cookie(headers.get("COOKIE", "")).get(COOKIE, "")
    asked = parse_accept_header(headers.get("ACCEPT_LANGUAGE", ""), LanguageAccept)
    return languages.language(languages.best(one for one in (chosen, *asked.values()) if one) or languages.ENGLISH)


def spoken() -> str:
    """The language, as HTML names it."""
    return languages.tag(_code())


def direction() -> str:
    """Which way the page is written: `ltr` or `rtl`."""
    return languages.direction(_code())


def every() -> list[tuple[str, str, str]]:
    """Code, tag and own name of each language."""
    codes = ordered(languages.available(), languages.own_name)
    return [(code, languages.tag(code), languages.own_name(code)) for code in codes]


def choices() -> list[tuple[str, str, str]]:
    """The same of each language but the page's own."""
    present = _code()
    return [one for one in every() if one[0] != present]


def finish(response: Response) -> None:
    """Say what the language of a page depends on; a choice that was made on another device is known here from now on,
    on pages before the login too."""
    if response.mimetype != "text/html":
        return
    response.vary.update(["Accept-Language"] if g.get("for_everybody") else ["Accept-Language", "Cookie"])
    who = None if g.get("for_everybody") else account_if_known()
    if who is not None and who.language and who.language != request.cookies.get(COOKIE):
        _keep(response, who.language)


def _keep(response: Answer, code: str) -> None:
    secure = node().settings.secure_cookies
    response.set_cookie(COOKIE, code, max_age=COOKIE_S, secure=secure, httponly=True, samesite="Lax")


def _code() -> str:
    return str(get_locale() or languages.ENGLISH)


def _here() -> str:
    """The page to come back to: only one of this node that can be asked for again."""
    return request.full_path.rstrip("?") if request.method == "GET" and request.endpoint is not None else ""


@blueprint.post("/language")
@rule.public
def choose() -> Answer:
    """Speak another language from now on, and go back to the page."""
    chosen = languages.known(request.form.get("language", ""))
    if chosen is None:
        raise BadRequest(_("This node does not speak that language. Nothing was changed."))
    if (who := account()) is not None:
        node().transact(who.name, lambda tx: people.set_language(tx, who.name, chosen))
    answer = redirect(_back(request.form.get("back", "")), 303)
    _keep(answer, chosen)
    return answer


def _back(asked: str) -> str:
    inside = asked.startswith("/") and not asked.startswith(("//", "/\\")) and asked.isprintable()
    return asked if inside else f"{request.script_root}/"
