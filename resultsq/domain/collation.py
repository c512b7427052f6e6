"""The order of names in the language of the moment, as its readers look for them: by CLDR's rules of collation.

Babel has none. The differences of a language from all others are one line here, taken from CLDR's `common/collation`
and in its notation: `&n<ñ` is a letter of its own after n, `&y<<ü` one that is told from y only where all else is
equal, `>>` one before it. ǀ stands behind all Latin letters, and capitals follow their small letters without a line.
The names of the tests stand as ICU orders them. Another order than ICU's is that of foreign marks among each other (`å`
before `ä` in Polish), and of a name that begins with a sign for a long vowel in Japanese.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from itertools import chain
from typing import NamedTuple, TypeVar

from resultsq.domain.current_language import current

_ROOT = "&d<<đ<<ð&h<<ħ&i<ı&k<ĸ&n<ŋ&t<ŧ&l<<ł&o<<ø&ss<<ß&ae<<æ&oe<<œ"
_NORSE = "&d<<đ<<ð&th<<þ&y<<ü<<ű"
_TAILORED = {
    "da": f"{_NORSE}&ǀ<æ<<ä<ø<<ö<<ő<å<<aa",
    "nb": f"{_NORSE}&ǀ<æ<<ä<<ę<ø<<ö<<ő<<œ<å<<aa",
    "sv": "&d<<đ<<ð&th<<þ&y<<ü<<ű&ǀ<å<ä<<æ<<ę<ö<<ø<<ő<<œ<<ô",
    "fi": "&d<<đ&g<<ǥ&n<<ŋ&t<<ŧ&y<<ü<<ű&z<<ʒ&ǀ<å<ä<<æ<ö<<ø",
    "pl": "&a<ą&c<ć&e<ę&l<ł&n<ń&o<ó&s<ś&z<ź<ż",
    "es": "&n<ñ",
    "ar": "&ت>>ة&ي>>ى&ء<<أ<<ؤ<<إ<<ئ<<ا&ءا<<آ",
}
_CAPITALS_FIRST = frozenset({"da"})

_SIGNS = " _-‐‑–—,;:!?.'‘’\"“”„«»()[]{}@*/\\&#%`^+<=>|~$"
_SIGN, _DIGIT, _OWN_SCRIPT, _LATIN, _KANA_RANK, _HAN_RANK, _OTHERS = range(7)
_OWN_SCRIPTS = {"ar": re.compile("[\u0600-\u06ff]")}
_FIRST_GREEK = 0x370
_BEHIND_ALL_MARKS = 0x400
_KANA, _HAN = re.compile("[\u3041-\u30fa]"), re.compile("[\u3400-\u9fff]")
_SMALL_KANA = str.maketrans("ぁぃぅぇぉっゃゅょゎ", "あいうえおつやゆよわ")

_Item = TypeVar("_Item")
_Key = tuple[list[tuple[int, ...]], list[int], list[int], str]


class _Part(NamedTuple):
    """What a letter weighs: as a letter, by its marks, and by its case or its kind of kana."""

    letter: tuple[int, ...]
    marks: tuple[int, ...] = (0,)
    case: int = 0


def ordered(items: Iterable[_Item], name: Callable[[_Item], str] = str) -> list[_Item]:
    """The items in the order of their names, in the language of the moment."""
    code = current().code
    return sorted(items, key=lambda one: _key(code, name(one)))


@lru_cache(maxsize=8192)
def _key(code: str, text: str) -> _Key:
    """It takes 30 µs to make, and an operator's list may have thousands of events."""
    parts = list(_parts(code, unicodedata.normalize("NFKC", text)))
    marks = chain.from_iterable(one.marks for one in parts)
    letters = [one.letter for one in parts if one.letter]
    return letters, list(marks), [one.case for one in parts if one.letter], text


def _parts(code: str, text: str) -> Iterator[_Part]:
    pairs, at = _pairs(code), 0
    while at < len(text):
        length = 2 if text[at : at + 2].lower() in pairs else 1
        yield from _parts_of(code, text[at : at + length])
        at += length


@cache
def _pairs(code: str) -> frozenset[str]:
    return frozenset(letters for letters in _rules(code) if len(letters) == 2)


@lru_cache(maxsize=4096)
def _parts_of(code: str, letter: str) -> tuple[_Part, ...]:
    """Of one letter, or of two that are one."""
    rules, case = _rules(code), int(letter[0].isupper() != (code in _CAPITALS_FIRST))
    if (known := rules.get(letter.lower())) is not None:
        return tuple(one._replace(case=case) for one in known)
    parts: list[_Part] = []
    for one in unicodedata.normalize("NFKD", letter).lower():  # its marks apart
        if unicodedata.combining(one):
            parts.append(_Part((), (ord(one),)))
        elif one in rules:
            parts += [part._replace(case=case) for part in rules[one]]
        elif unicodedata.category(one) not in {"Lm", "Cf"}:  # a sign that only lengthens or joins weighs nothing
            parts.append(_kana(code, one) if _KANA.match(one) else _Part(_weight(code, one), case=case))
    return tuple(parts)


def _kana(code: str, one: str) -> _Part:
    hiragana = chr(ord(one) - 0x60) if "ァ" <= one <= "ヶ" else one
    large = hiragana.translate(_SMALL_KANA)
    return _Part(
        (_KANA_RANK if code == "ja" else _OTHERS, ord(large)), case=2 * (large == hiragana) + (hiragana != one)
    )


def _weight(code: str, one: str) -> tuple[int, ...]:
    own = _OWN_SCRIPTS.get(code)
    if own is not None and own.match(one):
        return (_OWN_SCRIPT, ord(one))
    if one.isdecimal():
        return (_DIGIT, unicodedata.decimal(one))
    if not one.isalpha():
        return (_SIGN, _SIGNS.find(one) if one in _SIGNS else ord(one) + len(_SIGNS))
    if code == "ja" and _HAN.match(one):
        return (_HAN_RANK, int.from_bytes(one.encode("euc_jp", "replace"), "big"), ord(one))
    return (_LATIN if ord(one) < _FIRST_GREEK else _OTHERS, ord(one))


@cache
def _rules(code: str) -> Mapping[str, tuple[_Part, ...]]:
    """What the language says of letters, and then what all say."""
    found: dict[str, tuple[_Part, ...]] = {}
    for behind, rules in enumerate((_TAILORED.get(code, ""), _ROOT)):
        reset: tuple[_Part, ...] = ()
        parts, nth, level = reset, 0, 0
        for sign, letters in re.findall("(&|<+|>>)([^&<>]+)", rules):
            if sign == "&":
                reset = parts = tuple(part for one in letters for part in found.get(one, (_Part(_weight(code, one)),)))
                nth = level = 0
                continue
            if sign == "<":
                nth, level = nth + 1, 0
                parts = (_Part((*reset[-1].letter, behind, nth)),)
            else:
                level += 1 if sign == "<<" else -1
            marks = (0, level + behind * _BEHIND_ALL_MARKS) if level > 0 else (level,)
            found.setdefault(letters, (*parts[:-1], parts[-1]._replace(marks=marks)))
    return found
