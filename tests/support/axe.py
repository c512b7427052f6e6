"""What axe finds on a page: the violations alone, for what it found right is a thousand times as long."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page

_RUN = """(options) => axe.run(options).then(({ violations }) => ({ violations }))"""


def violations(page: Page, *tags: str) -> AxeResults:
    """By the rules with these tags, or by axe's own choice of rules."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    options: dict[str, Any] = {"resultTypes": ["violations"], **({"runOnly": list(tags)} if tags else {})}
    return AxeResults(page.evaluate(_RUN, options))
