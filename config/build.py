"""What each build of a wheel makes: the compiled catalogues of sentences, and a list of what the product brings along,
CycloneDX JSON in `*.dist-info/sboms/` (PEP 770)."""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NOT_BROUGHT_ALONG = "# for tests, benchmarks and the build alone"
"""The line of constraints.txt below which nothing is part of an installation."""

_GAP = re.compile(r"(?<!\u2068)(%\(\w+\)[sd]|\{\w+([!:][^{}]*)?\})( ?(%%|°|[A-Za-z]+(/[A-Za-z]+)?)(?![\w({]))?")
"""A gap of a sentence, with `UTC`, `MB` or `/s` behind it."""


def bill(name: str, version: str, requirements: list[str], pins: str) -> dict[str, object]:
    """Each pinned package of an installation, and which of them the product asks for itself. No time and no random
    number: the same source gives the same wheel."""
    lines = pins.partition(NOT_BROUGHT_ALONG)[0].splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    direct = sorted({canonicalize_name(Requirement(one).name) for one in requirements})
    product = _component(name, version)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": product | {"type": "application"}},
        "components": [_component(*pin) for pin in pinned.items()],
        "dependencies": [{"ref": product["bom-ref"], "dependsOn": [_purl(one, pinned[one]) for one in direct]}],
        # what those packages need in turn is not written here
        "compositions": [{"aggregate": "incomplete", "dependencies": [_purl(*pin) for pin in pinned.items()]}],
    }


def _component(name: str, version: str) -> dict[str, str]:
    purl = _purl(name, version)
    return {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def compile_catalogues(folder: Path) -> None:
    """Compile each catalogue below a folder, where it or this file has changed since."""
    changed = Path(__file__).stat().st_mtime_ns
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        compiled = source.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime_ns >= max(changed, source.stat().st_mtime_ns):
            continue
        with source.open("rb") as file:
            catalogue = read_po(file, locale=source.parents[1].name)
        if Locale.parse(source.parents[1].name).character_order == "right-to-left":
            isolate_gaps(catalogue)
        with tempfile.NamedTemporaryFile(dir=source.parent, suffix=".draft", delete=False) as draft:
            write_mo(draft, catalogue)
        os.chmod(draft.name, 0o644)
        os.replace(draft.name, compiled)  # whole: another process may be reading it


def isolate_gaps(catalogue: Catalog) -> None:
    """Set apart what will fill the sentences of a language that runs from right to left (resultsq/domain/isolates.py),
    each gap with the unit behind it."""
    for one in catalogue:
        if one.id and isinstance(one.string, str):
            one.string = _isolated(one.string)
        elif one.id:
            one.string = tuple(_isolated(form) for form in one.string)


def _isolated(sentence: str) -> str:
    # nothing stands beside a gap that is all; the sentence that it fills may set it apart
    return sentence if _GAP.fullmatch(sentence) else _GAP.sub("\u2068\\g<0>\u2069", sentence)


class BuildHook(BuildHookInterface[Any]):
    """Hatchling finds this class by itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the catalogues in their place; write the list outside of the source, for hatchling to copy."""
        compile_catalogues(Path(self.root, "resultsq", "translations"))
        core = self.metadata.core
        pins = Path(self.root, "config", "constraints.txt").read_text()
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name, f"{core.name}.cdx.json")
        path.write_text(json.dumps(bill(core.name, self.metadata.version, core.dependencies, pins), indent=1))
        build_data["sbom_files"].append(str(path))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """The wheel has its copy."""
        self._folder.cleanup()
