"""Whether foreign words leave the words around them in their places, on a page that runs from right to left."""

from dataclasses import dataclass

from playwright.sync_api import Page

_LOOK = r"""() => {
    const FIRST = "\u2068", LAST = "\u2069", SIGNS = /[\u2068\u2069\u200e\u200f\s]/;
    const apart = new Set(["isolate", "isolate-override", "plaintext"]);
    const silent = "script, style, template, noscript, option, textarea, svg, .visually-hidden";
    // written in the sentences themselves, by their translators
    const ours = /position, ?time, ?athlete|CSV|JSON|JavaScript|https?|resultsq|UTC|UTF-8|\.(xlsx|ods)|A12\d*|“[^”]*”/g;
    const text = (node) => {
        if (node.nodeType === Node.TEXT_NODE) return node.data;
        if (node.nodeType !== Node.ELEMENT_NODE || node.matches(silent)) return " ";
        if (node.tagName === "BR") return "\n";
        const style = getComputedStyle(node);
        if (style.display !== "inline" || apart.has(style.unicodeBidi)) return " ";
        return [...node.childNodes].map(text).join("");
    };
    const outside = (line) => {
        let depth = 0, left = "";
        for (const sign of line) {
            if (sign === FIRST) depth += 1;
            else if (sign === LAST) depth = Math.max(0, depth - 1);
            else if (!depth) left += sign;
        }
        return left.replace(/\s+/g, " ").replace(ours, "").trim();
    };
    const mixed = [];
    for (const one of document.querySelectorAll("body, body *")) {
        const style = getComputedStyle(one);
        if (one.closest(silent) || ["inline", "none"].includes(style.display)) continue;
        if (style.direction !== "rtl" || style.unicodeBidi === "plaintext") continue;
        for (const line of [...one.childNodes].map(text).join("").split("\n").map(outside))
            if (/\p{Script=Latin}{2}/u.test(line) && /\p{Script=Arabic}/u.test(line)) mixed.push(line);
    }

    const box = (node, begin, end) => {
        const range = document.createRange();
        range.setStart(node, begin);
        range.setEnd(node, end);
        const boxes = [...range.getClientRects()].filter((one) => one.width > 0);
        return boxes.length === 1 ? boxes[0] : null;
    };
    const letter = (data, at, step) => {
        while (at >= 0 && at < data.length && SIGNS.test(data[at])) at += step;
        return at >= 0 && at < data.length ? at : -1;
    };
    const turned = [];
    let apartOnes = 0;
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const node = walk.currentNode, data = node.data;
        if (node.parentElement.closest(silent) || getComputedStyle(node.parentElement).direction !== "rtl") continue;
        for (const found of data.matchAll(/\u2068([^\u2068\u2069]*\p{Script=Latin}{2}[^\u2068\u2069]*)\u2069/gu)) {
            const begin = found.index + 1, end = begin + found[1].length;
            const here = box(node, begin, end), before = letter(data, begin - 2, -1), after = letter(data, end + 1, 1);
            if (!here) continue;
            apartOnes += 1;
            const same = (one) => one && Math.abs((one.top + one.bottom) - (here.top + here.bottom)) < 6;
            const [right, left] = [before, after].map((at) => (at < 0 ? null : box(node, at, at + 1)));
            if ((same(right) && right.left < here.right - 1) || (same(left) && left.right > here.left + 1))
                turned.push(data.trim());
        }
    }
    return { mixed, turned, apart: apartOnes };
}"""


@dataclass(frozen=True, slots=True)
class Isolation:
    """`mixed`: lines in which Latin words stand bare among Arabic ones. `turned`: texts whose words are not to the
    right and the left of a foreign one, as they are read. `apart`: how many foreign ones were looked at."""

    mixed: list[str]
    turned: list[str]
    apart: int


def look(page: Page) -> Isolation:
    """Look at all that the page shows."""
    return Isolation(**page.evaluate(_LOOK))
