"""Small spreadsheets, made by hand: what the readers see of them is all that is in them."""

import zipfile
from io import BytesIO

_BOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>{}</sheets></workbook>'
)
_STYLES = (
    "<styleSheet><numFmts><numFmt numFmtId='164' formatCode='[h]:mm:ss;@'/></numFmts><cellStyleXfs><xf numFmtId='0'/>"
    "</cellStyleXfs><cellXfs><xf numFmtId='0'/><xf numFmtId='21'/><xf numFmtId='164'/><xf numFmtId='14'/></cellXfs>"
    "</styleSheet>"
)


def archive(members: dict[str, str | bytes]) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return packed.getvalue()


def xlsx(*sheets: str, strings: str = "<sst/>") -> bytes:
    """A workbook of these sheets, each its rows as XML."""
    numbers = range(1, len(sheets) + 1)
    relations = "".join(f"<Relationship Id='r{at}' Target='worksheets/sheet{at}.xml'/>" for at in numbers)
    return archive(
        {
            "xl/workbook.xml": _BOOK.format("".join(f"<sheet name='Tab {at}' r:id='r{at}'/>" for at in numbers)),
            "xl/_rels/workbook.xml.rels": f"<Relationships>{relations}</Relationships>",
            "xl/styles.xml": _STYLES,
            "xl/sharedStrings.xml": strings,
            **{
                f"xl/worksheets/sheet{at}.xml": f"<worksheet><sheetData>{rows}</sheetData></worksheet>"
                for at, rows in zip(numbers, sheets, strict=True)
            },
        }
    )


def ods(rows: str, title: str = "Tab 1") -> bytes:
    content = f"<o:document><t:table t:name='{title}'>{rows}</t:table></o:document>"
    return archive({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": content})
