"""What the columns of results are called, in the languages of the events.

A name is matched on letters and digits only, without case and accents. A name may stand for two things (`No.` is a
position in one club's table and a barcode in another's): then the cells decide (table.py).
"""

import unicodedata
from collections.abc import Mapping
from typing import Final

POSITION: Final = "position"
TIME: Final = "time"
ATHLETE: Final = "athlete"

_SPELT: Final[Mapping[str, str]] = {
    # en, de, fr, pl, it, es, nl, da, sv, fi, no, pt, ja, ar
    POSITION: """
        position pos posn place pl plc rank rk rnk # finishposition finishpos finishplace overall
        overallposition overallplace order finishorder
        platz platzierung rang gesamtplatz gesamtrang einlauf
        classement rangscratch scratch placegenerale
        miejsce m-ce msc pozycja poz lokata
        posizione posto piazzamento class classifica
        posicion puesto lugar clasificacion
        plaats positie rangschikking
        placering plads
        plats plac placeringstotalt
        sija sijoitus
        plass plassering
        posicao lugar colocacao classificacao
        順位 着順
        المركز مركز الترتيب
    """,
    TIME: """
        time times timing finishtime finishingtime elapsed elapsedtime officialtime official guntime gun gunfinish
        chiptime chip nettime net result runtime totaltime duration hhmmss mmss clock
        zeit laufzeit endzeit zielzeit nettozeit bruttozeit netto brutto ergebnis
        temps tempsofficiel tempsreel tempsnet duree chrono
        czas czasnetto czasbrutto wynik
        tempo tempofinale tempoufficiale realtime crono
        tiempo tiempooficial tiemporeal marca
        tijd eindtijd nettotijd brutotijd bruto
        tid sluttid nettotid bruttotid løbstid resultat
        måltid
        aika loppuaika tulos nettoaika bruttoaika
        tempoliquido tempobruto tempooficial
        タイム 記録 ネットタイム グロスタイム
        الزمن زمن الوقت
    """,
    ATHLETE: """
        athlete athleteid athletenumber barcode bib bibnumber id runner runnerid runnernumber parkrunner parkrunid
        participant participantid identifier code
        läufer läuferid sportler sportlerid teilnehmer teilnehmerid strichcode startnummer stnr
        athlète coureur codebarres dossard identifiant
        zawodnik zawodnikid uczestnik uczestnikid koduczestnika kodkreskowy kod numerstartowy
        atleta atletaid codiceabarre codice pettorale
        corredor dorsal codigodebarras codigo
        atleet loper deelnemer streepjescode startnummer
        løber deltager stregkode startnr
        löpare deltagare streckkod
        juoksija urheilija osallistuja osallistujanumero rintanumero viivakoodi tunniste
        løper deltaker strekkode
        corredora codigobarras dorsal
        参加者 選手 選手番号 バーコード ゼッケン
        المشارك مشارك العداء الباركود
    """,
}
_ROLES: Final = """
    role roles task rolle aufgabe funktion poste tache rola funkcja zadanie ruolo compito rol tarea función taak opgave
    roll uppgift rooli tehtava oppgave funcao papel 役割 担当 الدور دور المهمة
"""
_EITHER: Final = """no nr num nummer numer numero número numéro nro nº n° number startnumber"""
"""A position in one table, a barcode in the next."""

_LETTERS: Final = str.maketrans({"ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


def plain(cell: str) -> str:
    """A heading for comparison: `Finish-Position` is `finishposition`, `Miejsce` and `MIEJSCE` are one, `#` stays."""
    text = unicodedata.normalize("NFKD", cell.casefold()).translate(_LETTERS)
    letters = "".join(filter(str.isalnum, text))
    return letters or ("#" if "#" in text else "")


ROLES: Final = tuple(map(plain, _ROLES.split()))
"""What the column of a volunteer's role is called."""

NAMES: Final[Mapping[str, frozenset[str]]] = {
    use: frozenset(map(plain, spelt.split())) | (frozenset(map(plain, _EITHER.split())) if use != TIME else frozenset())
    for use, spelt in _SPELT.items()
}
"""A column's use → its possible headings."""

_WEAK = """
    class result resultat order code kod codice codigo marca clock net gun chip place plac scratch tempo bib id
    runner dossard dorsal pettorale
"""
WEAK: Final = frozenset(map(plain, f"{_WEAK} {_EITHER}".split()))
"""Names that mean other things too: such a column counts only where its cells agree."""

_NOT_TIMES = """
    pb personalbest sb seasonbest bestzeit record pace pacekm pacemi gap behind diff difference rückstand split
    clocktime timeofday uhrzeit age birthday born dob
"""
NOT_TIMES: Final = frozenset(map(plain, _NOT_TIMES.split()))
"""Columns that hold times and are not the finisher's time here."""


def uses(heading: str) -> tuple[str, ...]:
    """What a column of this name may be used as; empty where the name says nothing."""
    name = plain(heading)
    return tuple(use for use, names in NAMES.items() if name in names)
