"""The form that opens without the network: its page, its modules, and the service worker that keeps them.

The page says nothing personal: it is the same for everybody, and a device keeps it.
"""

import hashlib

from flask import Response, abort, render_template, send_from_directory, url_for

from resultsq.app.carried import FORMAT
from resultsq.app.intake import MOST_FILES
from resultsq.domain.relay import node_addresses
from resultsq.web.auth import rule
from resultsq.web.form.base import blueprint
from resultsq.web.form.compression import YEAR_S, asset
from resultsq.web.form.mirrored import bootstrap
from resultsq.web.form.modules import FOLDER, module, modules
from resultsq.web.language import direction
from resultsq.web.node import node


@blueprint.get("/offline")
@rule.public
def offline() -> Response:
    """The form that keeps results on the device until the node can be reached."""
    return Response(_page(), headers={"Cache-Control": "no-cache"})


@blueprint.get("/offline/<mark>/<name>", endpoint="module")
@rule.public
def module_file(mark: str, name: str) -> Response:
    """One of the modules, of the version that the page was made for."""
    if mark != modules()[0] or name not in modules()[1]:
        abort(404)
    response = send_from_directory(FOLDER, name, mimetype="text/javascript")
    response.cache_control.clear()
    response.cache_control.public = True
    response.cache_control.max_age = YEAR_S
    response.cache_control.immutable = True
    return response


@blueprint.get("/sw.js")
@rule.public
def service_worker() -> Response:
    """The service worker, with the addresses that it keeps. Another version of any of them is another worker."""
    static = ("app.css", "theme.js", "icon.svg", "icons.svg")
    kept = [
        url_for("form.offline"),
        url_for("form.manifest"),
        bootstrap(direction()),
        *(asset(name) for name in static),
        *(module(name) for name in modules()[1]),
    ]
    version = hashlib.sha256("\n".join([*kept, _page()]).encode()).hexdigest()[:12]
    root = url_for("form.start")
    text = render_template("sw.js", kept=kept, version=version, offline=kept[0], root=root)
    return Response(text, mimetype="text/javascript", headers={"Cache-Control": "no-cache"})


def _page() -> str:
    others = node_addresses(node().settings.other_nodes)
    return render_template("offline.html", format=FORMAT, most_files=MOST_FILES, other_nodes=others)
