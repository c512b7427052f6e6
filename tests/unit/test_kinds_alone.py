"""No room but kinds/ names a kind: what is true of each is asked of the kind itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

from resultsq.kinds.registry import KINDS

PACKAGE = Path(__file__).parents[2] / "resultsq"

MAY_NAME = {
    # a word in an address or in a file's name, which is no kind
    "web/form/history.py": {"results"},
    "languages.py": {"messages"},
    # what a migration finds is of the version before
    "store/engine/migrations": {"results"},
    # results are what a team's form, command and check are about; their versions are asked for by this name alone
    "store/views/versions.py": {"results"},
    # mails are what the node itself writes
    "app/mails.py": {"mails"},
    # options of these names
    "cli/drill.py": {"mails", "registrations"},
    # reminders are what this node passes on when it does not know the address
    "app/reminders.py": {"reminders"},
    # a command of its own: its arguments are those of a message
    "cli/messages.py": {"messages"},
    # the master is another program: it has its own registry
    "master": {"results", "messages", "registrations", "reminders"},
}
MAY_IMPORT = {
    "kinds",
    # the faces of results: their form, their command, their schema, and what accepts them from files
    "app/draft_files.py",
    "app/draft_view.py",
    "app/drafts.py",
    "app/duplicates.py",
    "app/event_day.py",
    "app/from_devices.py",
    "app/intake.py",
    "app/known_athletes.py",
    # what registers a runner gives the number
    "app/registrations.py",
    "cli/results.py",
    # what sends mails reads them
    "delivery/mail",
    "web/form",
    "web/api.py",
    "web/openapi.py",
}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def is_below(name: str, folders: object) -> bool:
    return any(name == one or name.startswith(f"{one}/") for one in folders)  # type: ignore[attr-defined]


def test_no_module_outside_names_a_kind() -> None:
    found = set()
    for name, tree in sources():
        if is_below(name, {"kinds"}):
            continue
        allowed = {word for where, words in MAY_NAME.items() if is_below(name, {where}) for word in words}
        found |= {
            f"{name}:{node.lineno} {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and node.value in KINDS and node.value not in allowed
        }
    assert not found


def test_no_module_outside_imports_one_kinds_package() -> None:
    packages = {type(kind).__module__.rpartition(".")[0] for kind in KINDS.values()}
    found = set()
    for name, tree in sources():
        if is_below(name, MAY_IMPORT):
            continue
        for node in ast.walk(tree):
            asked = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            asked += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            found |= {f"{name}: {one}" for one in asked if any(f"{one}.".startswith(f"{p}.") for p in packages)}
    assert not found


def test_an_exception_is_a_module_or_a_folder_that_is_there() -> None:
    assert all((PACKAGE / one).exists() for one in {*MAY_NAME, *MAY_IMPORT})


def test_each_kinds_templates_are_there() -> None:
    for kind in KINDS.values():
        folder = PACKAGE / "kinds" / kind.name / "templates"
        for template in (kind.template, kind.form.template if kind.form else None):
            assert template is None or (folder / template).is_file(), template
