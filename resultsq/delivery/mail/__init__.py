"""Mails, by SMTP: the mail server as a destination beside the master."""
