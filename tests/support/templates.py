"""Pages' templates, compiled once a process: each test makes an application of its own, which would do it anew."""

from types import CodeType

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


class _Compiled(BytecodeCache):
    """Jinja asks for what it compiled before, by the template's name and text."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.code


_compiled = _Compiled()


def compiled_once(app: Flask) -> Flask:
    """The application, which takes what others have compiled."""
    app.jinja_env.bytecode_cache = _compiled
    return app
