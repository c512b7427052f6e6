"""The way through a proxy: it is asked to connect, and from then on the connection leads to the master."""

import socket

from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.outcome import Cause
from resultsq.domain.proxy import Proxy

_LONGEST_HEAD = 16 * 1024
_MOST_INTERIM = 20


def open_through(sock: socket.socket, proxy: Proxy, host: str, port: int, call: Call) -> None:
    """Ask the proxy behind `sock` for a way to `host`.

    :raises Failed: it refuses, or says nothing of a proxy's
    :raises OSError: the connection to it fails"""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: resultsq"]
    lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
    sock.settimeout(call.left())
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    for _ in range(_MOST_INTERIM):
        status, reason = _status(_head(sock, call))
        if status >= 200:
            break
    else:
        status, reason = 0, "no end of interim answers"
    if 200 <= status <= 299:
        return
    if status == 407:
        raise Failed(
            Cause.UNREACHABLE, "The proxy refuses this node's credentials (407): look at RESULTSQ_MASTER_PROXY."
        )
    raise Failed(Cause.UNREACHABLE, f"The proxy opens no way to the master ({status} {reason}).")


def _head(sock: socket.socket, call: Call) -> bytes:
    """The head of its answer; not a byte more is read, for the next one is the master's."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = sock.recv(1)
        call.left()
        if not piece:
            raise Failed(Cause.RESET, "The proxy cut the connection.")
        head += piece
        if len(head) > _LONGEST_HEAD:
            raise Failed(Cause.UNREACHABLE, "What answers at the proxy's address does not speak like a proxy.")
    return head


def _status(head: bytes) -> tuple[int, str]:
    version, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    code, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or len(code) != 3 or not (code.isascii() and code.isdecimal()):
        raise Failed(Cause.UNREACHABLE, "What answers at the proxy's address does not speak like a proxy.")
    return int(code), reason.strip()[:100]
