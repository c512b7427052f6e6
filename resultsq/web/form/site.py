"""What browsers and crawlers fetch by themselves: the icon, the manifest and robots.txt."""

from flask import Response, current_app, jsonify, url_for
from flask_babel import gettext as _

from resultsq.web.auth import rule
from resultsq.web.form.base import blueprint
from resultsq.web.form.compression import asset


@blueprint.get("/favicon.ico")
@rule.public
def favicon() -> Response:
    """The mark, where a browser asks for it without having read the page."""
    return current_app.send_static_file("icon.svg")


@blueprint.get("/robots.txt")
@rule.public
def robots() -> Response:
    """Nothing here is for search engines."""
    return Response("User-agent: *\nDisallow: /\n", mimetype="text/plain")


@blueprint.get("/manifest.webmanifest")
@rule.public
def manifest() -> Response:
    """Lets a phone put the form on its home screen."""
    answer = jsonify(
        id=url_for("form.start"),
        name="resultsq",
        short_name="resultsq",
        description=_("Results of events, kept on this device until they can be sent."),
        start_url=url_for("form.start"),
        scope=url_for("form.start"),
        display="standalone",
        lang="en",
        background_color="#ffffff",
        theme_color="#4b45c6",
        icons=[
            {"src": asset("icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
            {"src": asset("icon-maskable.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "maskable"},
        ],
    )
    answer.mimetype = "application/manifest+json"
    return answer
