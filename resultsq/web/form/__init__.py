"""The event team's pages: log in, submit, receipt, history and the public results. One module a purpose."""

from resultsq.web.form import history, login, public, receipt, site, submit, write
from resultsq.web.form.base import blueprint

__all__ = ["blueprint", "history", "login", "public", "receipt", "site", "submit", "write"]
