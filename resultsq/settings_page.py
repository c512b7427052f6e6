"""Settings for people: those in force and their sources, and all there are as a page."""

from pydantic import SecretStr

from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.settings import PREFIX, Loaded, Settings

_DEFAULT = gettext_noop("default")


def shown(loaded: Loaded) -> list[tuple[str, str, str, str]]:
    """Name, value, origin and sentence of each setting, in order; what must stay hidden is masked."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(loaded.settings, name)
        extra = field.json_schema_extra
        if isinstance(value, SecretStr) or (isinstance(extra, dict) and extra.get("hidden")):
            secret = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            value = "(hidden)" if secret else ""
        origin = gettext(loaded.origin.get(name, _DEFAULT))
        rows.append(
            (name, "" if value is None else str(value), origin, gettext(field.description) if field.description else "")
        )
    return rows


def page() -> str:
    """Every setting as a page of Markdown: config/settings.md."""
    lines = [
        "# Settings",
        "",
        "Each is read from the environment, or in lower case and without the prefix from a TOML file",
        "([an example](resultsq.example.toml)) that `RESULTSQ_CONFIG` names. `RESULTSQ_<NAME>_FILE` names a file whose",
        "content is the value. A worker uses a changed token or alert address within seconds; other settings need a",
        "restart. `resultsq settings` shows each value and where",
        "it came from; this page is made by",
        "`resultsq settings --page`.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = "" if default in ("", None) else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"
