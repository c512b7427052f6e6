"""How a view finds the context of its application."""

from typing import cast

from flask import Flask, current_app

from resultsq.app.context import AppContext

_KEY = "resultsq"


def put(app: Flask, ctx: AppContext) -> None:
    """Make `ctx` what `node` gives in requests to `app`."""
    app.extensions[_KEY] = ctx


def node() -> AppContext:
    """The context of the app whose request this is."""
    return cast(AppContext, current_app.extensions[_KEY])
