"""An athlete's barcode as a picture on a page."""

from markupsafe import Markup

from resultsq.domain import code128

_HEIGHT = 50


def picture(text: str) -> Markup:
    """The barcode as SVG, black on white in every look: paper and scanners need it so."""
    at, bars = code128.QUIET, []
    for index, width in enumerate(map(int, code128.widths(text))):
        if index % 2 == 0:
            bars.append(f"M{at} 0h{width}v{_HEIGHT}h-{width}z")
        at += width
    whole = at + code128.QUIET
    size = f'viewBox="0 0 {whole} {_HEIGHT}" width="{2 * whole}" height="{2 * _HEIGHT}"'
    paper = f'<path fill="#fff" d="M0 0h{whole}v{_HEIGHT}H0z"/>'
    # markupsafe: numbers alone, made above
    return Markup(  # noqa: S704
        f'<svg class="barcode img-fluid" aria-hidden="true" {size}>{paper}<path d="{"".join(bars)}"/></svg>'
    )
