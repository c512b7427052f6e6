"""What is left in English on a page that speaks another language."""

import re
from collections.abc import Sequence
from functools import cache

from playwright.sync_api import Page

from tests.support import translate

_TEXTS = """() => {
    const silent = "script, style, template, noscript, code, option, .digest, [translate=no]";
    const seen = (one) => one && !one.closest(silent);
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts = [document.title];
    while (walk.nextNode()) if (seen(walk.currentNode.parentElement)) texts.push(walk.currentNode.data);
    for (const name of ["aria-label", "title", "placeholder", "data-label", "alt"])
        for (const one of document.querySelectorAll(`body [${name}]`))
            if (seen(one)) texts.push(one.getAttribute(name));
    return texts;
}"""
_GAP = re.compile(r"%\(\w+\)[sd]|\{\w+\}|%%|<[^>]+>")
_SAYS_ENOUGH = 12
"""So many letters of an English sentence beside its gaps are no chance."""


@cache
def _english(code: str) -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """The English of what the catalogue has in other words: sentences, and those with gaps."""
    plain: set[str] = set()
    own: set[str] = set()
    gapped = []
    for one in translate.read(code):
        english = one.id if isinstance(one.id, tuple) else (str(one.id),)
        said = one.string if isinstance(one.string, tuple | list) else (str(one.string),)
        own.update(said)
        if all(english) and all(said):
            for text in set(english) - set(said):
                if not _GAP.search(text):
                    plain.add(text)
                elif len(re.findall(r"[^\W\d_]", _GAP.sub("", text))) >= _SAYS_ENOUGH:
                    gapped.append(re.compile(".+".join(map(re.escape, _GAP.split(text)))))
    return frozenset(plain - own), tuple(gapped)


def left_in_english(page: Page, code: str) -> list[str]:
    """The texts of the page that are English, although the language has other words for them."""
    plain, gapped = _english(code)
    texts = {" ".join(text.split()) for text in _texts(page)}
    return sorted(text for text in texts if text in plain or any(one.fullmatch(text) for one in gapped))


def _texts(page: Page) -> Sequence[str]:
    found: Sequence[str] = page.evaluate(_TEXTS)
    return found
