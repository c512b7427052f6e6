"""The way to the mail server."""

from contextlib import closing

from resultsq.delivery.mail.configured import mail_server
from resultsq.doctor.finding import CheckTarget, Findings, Level
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
    many = "No mail waits." if not waits else "1 mail waits." if waits == 1 else f"{waits} mails wait."
    if answer.cause is not None:
        yield Level.WARN, f"The mail server cannot be used: {answer.detail} {many} Look at RESULTSQ_SMTP_URL."
    elif link is not None and link.refused_at is not None:
        yield (
            Level.WARN,
            f"The mail server refuses this node's name and password since {link.refused_at:%Y-%m-%d %H:%M} UTC. {many} "
            "Set them right in RESULTSQ_SMTP_URL, and restart the workers.",
        )
    else:
        yield Level.OK, f"The mail server answers in {answer.duration_s:.2f} s. {many}"
