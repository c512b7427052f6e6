"""The sentences of the command line's help and of the settings, for the catalogue.

They stand in the source as Click and pydantic want them, without a mark."""

import ast
import inspect
from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any

from babel.messages.extract import extract_python

_SENTENCES = frozenset({"help", "description"})
"""The arguments of options and settings that people read."""

Found = tuple[int, str | None, Any, list[str]]


def extract(
    file: IO[bytes], keywords: Mapping[str, Any], comment_tags: Collection[str], options: Mapping[str, Any]
) -> Iterator[Found]:
    """All that Babel finds in a module, and what `help` and `settings` show of it. Babel calls it."""
    yield from extract_python(file, keywords, comment_tags, options)  # type: ignore[misc, arg-type]
    file.seek(0)
    for line, sentence in sentences(ast.parse(file.read())):
        yield line, None, sentence, []


def sentences(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each paragraph of a command's help, each option's or setting's sentence, and each of the list of commands."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() if any(map(_makes_a_command, node.decorator_list)):
                for paragraph in inspect.cleandoc(ast.get_docstring(node) or "").split("\n\n"):
                    yield node.lineno, " ".join(paragraph.split())
            case ast.keyword(arg=name, value=ast.Constant(value=str(text))) if name in _SENTENCES and text:
                yield node.value.lineno, text
            case ast.Assign(targets=[ast.Name(id="COMMANDS")], value=ast.Dict(values=values)):
                for value in values:
                    _where, sentence = ast.literal_eval(value)
                    if sentence:
                        yield value.lineno, sentence
            case _:
                pass


def _makes_a_command(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func).split(".")[-1] in ("command", "group")
