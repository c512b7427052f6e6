"""The way to the mail server."""

from contextlib import closing

from resultsq.delivery.mail.configured import mail_server
from resultsq.doctor.finding import CheckTarget, Findings, Level, at
from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, ngettext, retold
from resultsq.store.views import mail_link


def check_mail(target: CheckTarget) -> Findings:
    server = mail_server(target.settings, target.database, target.clock)
    if server is None:
        return
    with closing(server):
        answer = server.probe()
    with target.database.read() as conn:
        link = mail_link.look(conn)
    waits = 0 if link is None else link.waiting
    many = ngettext("{number} mail waits.", "{number} mails wait.", waits) if waits else gettext("No mail waits.")
    if answer.cause is not None:
        yield (
            Level.WARN,
            gettext(
                "The mail server cannot be used: {reason} {many} Look at RESULTSQ_SMTP_URL.",
                reason=retold(answer.detail),
                many=many,
            ),
        )
    elif link is not None and link.refused_at is not None:
        yield (
            Level.WARN,
            gettext(
                "The mail server refuses this node's name and password since {time}. {many} "
                "Set them right in RESULTSQ_SMTP_URL, and restart the workers.",
                time=at(link.refused_at),
                many=many,
            ),
        )
    else:
        yield (
            Level.OK,
            gettext(
                "The mail server answers in {number} s. {many}", number=cldr.number(answer.duration_s, 2), many=many
            ),
        )
