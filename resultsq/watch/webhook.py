"""Calls a webhook or a dead-man service: one connection, no redirects, and of the environment only its authorities.

requests would add credentials of a .netrc and ask proxies that the environment names, for loopback too.
"""

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import SplitResult, quote, unquote

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from resultsq.domain.destinations import webhook_parts
from resultsq.domain.proxy import Proxy
from resultsq.interim import FinalResponse
from resultsq.watch.unsent import Unsent

_PATH_KEPT = "/%:@!$&'()*+,;=~-._"


def post(url: str, proxy: Proxy | None, value: Mapping[str, str], timeout_s: float) -> None:
    """POST `value` as JSON.

    :raises Unsent: the webhook did not take it
    :raises OSError: it was not reached
    :raises SettingsError: the URL makes no sense"""
    parts, port = webhook_parts(url)
    _call("POST", parts, port, proxy, timeout_s, json.dumps(value).encode(), {"Content-Type": "application/json"})


def ping(url: str, suffix: str, proxy: Proxy | None, timeout_s: float) -> None:
    """GET the URL with `suffix` behind its path. It raises as `post` does."""
    parts, port = webhook_parts(url)
    _call("GET", parts._replace(path=parts.path.rstrip("/") + suffix), port, proxy, timeout_s)


def _call(
    method: str,
    parts: SplitResult,
    port: int,
    proxy: Proxy | None,
    timeout_s: float,
    body: bytes | None = None,
    head: Mapping[str, str] = MappingProxyType({}),
) -> None:
    connection = _connection(parts, port, proxy, timeout_s)
    try:
        headers = {**head, "User-Agent": "resultsq", **_credentials(parts)}
        connection.request(method, _target(parts), body, headers)
        status = connection.getresponse().status
    except OSError:
        raise  # some of them are ValueErrors too
    except (http.client.HTTPException, ValueError) as error:
        raise Unsent(f"What answers there speaks no HTTP ({type(error).__name__}).") from error
    finally:
        connection.close()
    if not 200 <= status <= 299:
        raise Unsent(f"It answered {status}.")


def _connection(parts: SplitResult, port: int, proxy: Proxy | None, timeout_s: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    first = (host, port) if proxy is None else (proxy.host, proxy.port)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        connection = http.client.HTTPSConnection(*first, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(*first, timeout=timeout_s)
    connection.response_class = FinalResponse
    if proxy is not None:
        connection.set_tunnel(host, port, headers=dict(proxy.headers))
    return connection


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_PATH_KEPT)
    return f"{path}?{quote(parts.query, safe=_PATH_KEPT + '?')}" if parts.query else path


def _credentials(parts: SplitResult) -> dict[str, str]:
    """The proxy settings of the URL alone, not of the environment."""
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
