"""The calls of the upload contract. Each module adds its own: `add_routes(app, context)`."""

from flask import Flask

from resultsq.master.context import MasterContext
from resultsq.master.routes import athletes, blocks, every_kind, kept, notices, results

_MODULES = (every_kind, results, kept, athletes, blocks, notices)


def add_routes(app: Flask, context: MasterContext) -> None:
    for module in _MODULES:
        module.add_routes(app, context)
