"""The event team's pages: log in, submit, receipt, history and the public results. One module a purpose."""

from resultsq.web.form import (
    card,
    devices,
    history,
    login,
    mirrored,
    profile,
    public,
    receipt,
    reminder,
    shell,
    site,
    submit,
    unsubscribe,
    write,
)
from resultsq.web.form.base import blueprint

__all__ = [
    "blueprint",
    "card",
    "devices",
    "history",
    "login",
    "mirrored",
    "profile",
    "public",
    "receipt",
    "reminder",
    "shell",
    "site",
    "submit",
    "unsubscribe",
    "write",
]
