"""Two machines on one: network namespaces joined by a cable, where real packets are really lost.

Neither has a default route, so that a cut cable leads nowhere. It needs root, `ip`, `tc` and `iptables`;
proxy.py does what can be done without.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from tests.support.services import Missing

NODE_ADDRESS, MASTER_ADDRESS = "10.231.7.1", "10.231.7.2"
_TOOLS = ("ip", "tc", "iptables")


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")


class Forbidden(Exception):
    """The tools are there, and this user or container may not use them: nothing that could be installed."""


def is_available() -> bool:
    """Whether a `Cable` can be laid here."""
    try:
        _ask()
    except (Missing, Forbidden):
        return False
    return True


def _ask() -> None:
    """Make a namespace and filter in it, for a container may forbid either to root.

    :raises Missing, Forbidden: if it cannot be done"""
    if absent := [tool for tool in _TOOLS if not shutil.which(tool)]:
        raise Missing(f"No {' and no '.join(absent)} here: install Debian's iproute2 and iptables.")
    if os.geteuid() != 0:
        raise Forbidden("Network namespaces are root's alone.")
    name = f"rq-try-{uuid.uuid4().hex[:6]}"
    try:
        _run("ip", "netns", "add", name)
        _run("ip", "netns", "exec", name, "iptables", "-S")
    except OSError as trouble:
        raise Forbidden(f"Network namespaces are forbidden here: {trouble}") from None
    finally:
        with suppress(OSError):  # it was never made
            _run("ip", "netns", "delete", name)


class Cable:
    """The node's namespace and the master's, with a cable that can be cut in several ways.

    Commands are prefixed with `on_node` or `on_master`; sockets in there listen on 0.0.0.0 or their address.
    `port`: the master's port, which `drop` and `lose_answers` are about."""

    def __init__(self, port: int) -> None:
        _ask()
        mark = uuid.uuid4().hex[:6]
        self._node, self._master = f"rq-node-{mark}", f"rq-master-{mark}"
        self._near, self._far = f"rqn{mark}", f"rqm{mark}"
        self.port = port

    @property
    def on_node(self) -> Sequence[str]:
        """What to put before a command that shall run on the node."""
        return ("ip", "netns", "exec", self._node)

    @property
    def on_master(self) -> Sequence[str]:
        """What to put before a command that shall run on the master."""
        return ("ip", "netns", "exec", self._master)

    @property
    def master_url(self) -> str:
        return f"http://{MASTER_ADDRESS}:{self.port}"

    def __enter__(self) -> Self:
        try:
            self._lay()
        except BaseException:
            self.close()
            raise
        return self

    def _lay(self) -> None:
        for namespace in (self._node, self._master):
            _run("ip", "netns", "add", namespace)
            _run("ip", "-n", namespace, "link", "set", "lo", "up")
        ends = ("netns", self._node, "type", "veth", "peer", "name", self._far, "netns", self._master)
        _run("ip", "link", "add", self._near, *ends)
        sides = ((self._node, self._near, NODE_ADDRESS), (self._master, self._far, MASTER_ADDRESS))
        for namespace, end, address in sides:
            _run("ip", "-n", namespace, "addr", "add", f"{address}/30", "dev", end)
            _run("ip", "-n", namespace, "link", "set", end, "up")

    def close(self) -> None:
        """Remove both; the cable goes with them."""
        for namespace in (self._node, self._master):
            with suppress(OSError):  # it was never made
                _run("ip", "netns", "delete", namespace)

    def __exit__(self, *_: object) -> None:
        self.close()

    def _filter(self, *rule: str) -> None:
        _run(*self.on_master, "iptables", "-w", "-A", *rule, "-j", "DROP")

    # the switch

    def restore(self) -> None:
        """Undo whatever was done to the cable."""
        _run(*self.on_master, "iptables", "-w", "-F")
        _run("ip", "-n", self._master, "link", "set", self._far, "up")
        with suppress(OSError):  # it was not slow
            _run("tc", "-n", self._master, "qdisc", "del", "dev", self._far, "root")

    def drop(self) -> None:
        """Silence: what is sent to the master's port is lost."""
        self._filter("INPUT", "-p", "tcp", "--dport", str(self.port))

    def unplug(self) -> None:
        """The master's end is down: its host cannot be reached, as the node learns after some 3 s."""
        _run("ip", "-n", self._master, "link", "set", self._far, "down")

    def lose(self, share: float = 0.3) -> None:
        """So large a share of all packets is lost, each way."""
        for chain in ("INPUT", "OUTPUT"):
            self._filter(chain, "-m", "statistic", "--mode", "random", "--probability", str(share))

    def lose_answers(self) -> None:
        """Requests land; answers (packets with something in them) are lost."""
        self._filter("OUTPUT", "-p", "tcp", "--sport", str(self.port), "-m", "length", "--length", "100:")

    def slow(self, rate: str = "1mbit", latency: str = "400ms") -> None:
        """The master's answers go at `rate`; what would wait longer than `latency` is lost."""
        _run("tc", "-n", self._master, "qdisc", "add", "dev", self._far, "root", "tbf",
             "rate", rate, "burst", "16kb", "latency", latency)  # fmt: skip
