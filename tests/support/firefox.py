"""Debian's Firefox, spoken to by WebDriver BiDi (w3.org/TR/webdriver-bidi), which it speaks without a driver."""

import json
import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

from tests.support.processes import Process
from tests.support.waiting import wait_until

_LISTENING = "WebDriver BiDi listening on "
_PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "intl.accept_languages": "en-GB",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """A browser with a profile on the disk and one page, to be killed and started again. A context manager."""

    def __init__(self, program: str, profile: Path) -> None:
        self._program, self._profile = program, profile
        profile.mkdir()
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines) + "\n")
        self._stack = ExitStack()
        self._process: Process
        self._socket: ClientConnection
        self._asked = 0
        self._page = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and open a page."""
        arguments = ["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", str(self._profile)]
        self._process = Process("about:blank", program=[self._program, *arguments])
        self._stack.callback(self._process.close)
        self._process.wait_for(_LISTENING, 60)
        address = self._process.stderr.partition(_LISTENING)[2].split()[0]
        self._socket = self._stack.enter_context(connect(f"{address}/session", max_size=None))
        self._ask("session.new", capabilities={})
        self._page = self._ask("browsingContext.create", type="tab")["context"]

    def kill(self) -> None:
        """kill -9 of all its processes at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.popen.wait(20)
        self._stack.close()

    def open(self, url: str) -> None:
        self._ask("browsingContext.navigate", context=self._page, url=url, wait="complete")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression on the page; a promise is waited for."""
        found = self._ask("script.evaluate", expression=script, target={"context": self._page}, awaitPromise=True)
        assert found["type"] == "success", found
        return found["result"].get("value")

    def choose(self, field: str, files: Sequence[Path]) -> None:
        """Choose files in the field of this selector."""
        where = {"type": "css", "value": field}
        (node,) = self._ask("browsingContext.locateNodes", context=self._page, locator=where)["nodes"]
        element = {"sharedId": node["sharedId"]}
        self._ask("input.setFiles", context=self._page, element=element, files=[str(one) for one in files])

    def fill(self, **values: str) -> None:
        """Fill in the fields of these names."""
        for name, value in values.items():
            self.run(f"document.querySelector('[name={name}]').value = {json.dumps(value)}")

    def press(self, text: str) -> None:
        """Press the button that says so."""
        self.run(
            f"""[...document.querySelectorAll("button")].find((one) => one.textContent.trim() === {json.dumps(text)})
            .click()"""
        )

    def wait_for(self, text: str, timeout_s: float = 20.0) -> None:
        """Wait until the page shows it."""
        wait_until(lambda: text in str(self.run("document.body?.innerText ?? ''")), timeout_s, text)

    def _ask(self, method: str, **params: Any) -> Any:
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(60))
            if answer.get("id") == self._asked:
                assert answer["type"] == "success", answer
                return answer["result"]
