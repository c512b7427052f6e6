"""Where a mail's reader unsubscribes: by a button here, or by one click in the mail program (RFC 8058)."""

from flask import render_template

from resultsq.store.admin import addresses
from resultsq.web.auth import rule
from resultsq.web.form.base import blueprint
from resultsq.web.node import node


@blueprint.get("/unsubscribe/<secret>")
@rule.secret
def unsubscribe(secret: str) -> str:
    """The question. It is the same for an unknown secret."""
    return render_template("unsubscribe.html", secret=secret, done=False, dead=False)


@blueprint.post("/unsubscribe/<secret>")
@rule.secret
def unsubscribe_sent(secret: str) -> tuple[str, int]:
    """Send no more notices to the address whose mails have this secret."""
    held = node()
    now = held.clock.now()
    known = held.database.write(lambda conn: addresses.unsubscribe(conn, now, secret))
    return render_template("unsubscribe.html", secret=secret, done=known, dead=not known), 200 if known else 404
