"""Writes the public page as files for another host: the page, its stylesheet, the JSON and the feed."""

import os
import tempfile
import time
from pathlib import Path

from flask import Flask

from resultsq.app import public_status
from resultsq.cli.node import CliContext
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.public_status import PublicStatus
from resultsq.wakeup import Bell
from resultsq.web import status_page
from resultsq.web.factory import create_app

LOOK_S = 2.0
RENEW_S = 60.0
"""Without a change the files are written this often, so that their time says that the node is there."""


def publish(node: CliContext, folder: Path, *, stay: bool) -> None:
    """Write the files into `folder`, which is made where it is missing; with `stay` again after each change, until the
    command is stopped. Each file is replaced whole, so that a copy of the folder is never half a page.

    :raises OSError: the folder cannot be written"""
    folder.mkdir(parents=True, exist_ok=True)
    app = create_app(node.settings, node.database, clock=node.clock, bell=Bell(""))
    written, due = None, 0.0
    while True:
        try:
            found = public_status.look(node.context)
        except StoreUnavailable:  # the store has logged why; the files keep their older time
            found = None
        if found is not None and (_said(found) != written or node.clock.monotonic() >= due):
            _write(app, folder, found)
            written, due = _said(found), node.clock.monotonic() + RENEW_S
        if not stay:
            return
        time.sleep(LOOK_S)


def _said(found: PublicStatus) -> object:
    """What a reader would see change: not the time, nor the seconds of a wait."""
    return found.state, found.since, found.waiting, tuple(found.incidents)


def _write(app: Flask, folder: Path, found: PublicStatus) -> None:
    links = {"css": status_page.STYLE, "data": status_page.DATA, "feed": status_page.FEED}
    address = app.extensions["resultsq"].settings.public_url or "urn:resultsq:status"
    with app.test_request_context():
        files = {
            status_page.STYLE: (Path(str(app.static_folder)) / status_page.STYLE).read_bytes(),
            status_page.DATA: status_page.as_json(found),
            status_page.FEED: status_page.as_atom(found, address),
            status_page.PAGE: status_page.render(found, links),
        }
    for name, content in files.items():
        _replace(folder / name, content)


def _replace(path: Path, content: bytes) -> None:
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, 0o644)  # another host's server reads it
    os.replace(draft, path)
