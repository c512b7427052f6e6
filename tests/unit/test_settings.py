"""Settings: where values come from, what is told of a wrong one, and that the examples in config/ are true."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from resultsq.domain.errors import SettingsError
from resultsq.settings import PREFIX, Settings
from resultsq.settings_page import page, shown
from resultsq.settings_sources import CONFIG_KEY, load
from tests.support import certificates

CONFIG = Path(__file__).parents[2] / "config"


def _file(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "resultsq.toml"
    path.write_text(text)
    return {CONFIG_KEY: str(path)}


def test_a_later_source_wins_when_several_name_a_setting(tmp_path: Path) -> None:
    environ = {**_file(tmp_path, 'port = 1001\nhost = "a"\ntime_zone = "Asia/Tokyo"'), "RESULTSQ_PORT": "1002"}
    environ["RESULTSQ_HOST"] = "b"
    loaded = load(environ, port=1003, host=None)
    assert (loaded.settings.port, loaded.settings.host, loaded.settings.time_zone) == (1003, "b", "Asia/Tokyo")
    assert loaded.origin == {
        "port": "command line",
        "host": "RESULTSQ_HOST",
        "time_zone": environ[CONFIG_KEY],
    }


@pytest.mark.parametrize("environ", [{"RESULTSQ_MASTR_URL": "http://x"}, {"RESULTSQ_MASTR_URL_FILE": "/dev/null"}])
def test_a_misspelt_setting_is_named_with_its_neighbour_when_it_is_read(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"no setting called mastr_url.*Did you mean master_url\?"):
        load(environ)


def test_a_misspelt_setting_is_named_when_it_is_in_the_file(tmp_path: Path) -> None:
    environ = _file(tmp_path, "prot = 80")
    with pytest.raises(SettingsError, match=rf"prot \({re.escape(environ[CONFIG_KEY])}\).*port"):
        load(environ)


def test_the_setting_and_where_it_came_from_are_told_when_its_value_makes_no_sense() -> None:
    with pytest.raises(SettingsError, match=r"port \(from RESULTSQ_PORT\) makes no sense"):
        load({"RESULTSQ_PORT": "eighty"})


WRONG = [
    ("time_zone", "Europe/Londn", "Did you mean Europe/London?"),
    ("time_zone", "../../etc/passwd", "not a time zone"),
    ("time_zone", "Europe", "not a time zone"),
    ("master_url", "master.example", "begins with one of http://, https://"),
    ("master_url", "https://one.example,htps://two.example", "Did you mean https://?"),
    ("master_url", "localhost:8080", "begins with"),
    ("master_url", "https://", "https://host"),
    ("master_url", "https://host:port", "https://host"),
    ("master_url", "https://me:pa55@host", "token has a setting of its own"),
    ("master_url", ",", "begins with"),
    ("smtp_url", "smpt://mail.example", "Did you mean smtp://?"),
    ("smtp_url", "mail.example:25", "SMTP_URL is smtp://"),
    ("alert_webhook_url", "hooks.example/x", "http://…"),
    ("alert_webhook_url", "http://hooks.example:x/", "http://…"),
    ("master_proxy", "socks5://me:pa55@proxy:1080", "http://host:port"),
    ("webhook_proxy", "proxy:3128", "http://host:port"),
    ("broker_url", "reds://me:pa55@broker/0", "Did you mean redis://?"),
    ("database_url", "postgres://me:pa55@host/name", "Did you mean postgresql://?"),
    ("public_url", "results.example.org", "https://host"),
    ("athletes_mail_key", "c2hvcnQ=", "16 bytes or more in base64"),
    ("athletes_mail_key", "no base64 at all, but long enough", "16 bytes or more in base64"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_wrong_value_is_named_with_its_neighbour_and_never_repeated(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=rf"^The setting {name} \(from RESULTSQ_{name.upper()}\)") as refused:
        load({f"{PREFIX}{name.upper()}": value})
    assert said in str(refused.value)
    assert "pa55" not in str(refused.value)


def test_every_fault_is_told_at_once_when_several_settings_are_wrong(tmp_path: Path) -> None:
    last = {name: value for name, value, _ in WRONG}
    environ = {
        **_file(tmp_path, "prot = 80\nlog_level = 'loud'"),
        "RESULTSQ_MASTR_TOKEN": "x",
        "RESULTSQ_PORT": "eighty",
    }
    environ |= {f"{PREFIX}{name.upper()}": value for name, value in last.items()}
    environ["RESULTSQ_SECRET_KEY_FILE"] = str(tmp_path / "gone")
    with pytest.raises(SettingsError) as refused:
        load(environ, host="b")
    told = str(refused.value)
    named = ["prot", "mastr_token", "log_level", "port", "RESULTSQ_SECRET_KEY_FILE", *last]
    assert [name for name in named if name not in told] == []
    assert told.startswith(f"{len(named)} settings are wrong:\n  ")
    assert len(told.splitlines()) == 1 + len(named)


PLAIN = {"RESULTSQ_MASTER_URL": "http://master.example", "RESULTSQ_MASTER_TOKEN": "pa55"}
THROUGH = {"RESULTSQ_MASTER_URL": "http://127.0.0.1:1", "RESULTSQ_MASTER_PROXY": "http://proxy.example:3128"}
SECOND = {"RESULTSQ_MASTER_URL": "https://one.example, http://two.example"}


@pytest.mark.parametrize("given", [{}, THROUGH, SECOND])
def test_a_token_that_anyone_on_the_way_could_read_is_refused_at_the_start(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="everyone on the way could read") as refused:
        load({**PLAIN, **given, "RESULTSQ_PORT": "eighty"})
    told = str(refused.value)
    assert told.startswith("2 settings are wrong:\n  ")
    assert "The setting master_url (from RESULTSQ_MASTER_URL)" in told
    assert "pa55" not in told


@pytest.mark.parametrize(
    "given",
    [
        {"RESULTSQ_MASTER_TOKEN": ""},
        {"RESULTSQ_MASTER_URL": "https://master.example"},
        {"RESULTSQ_MASTER_URL": "http://[::1]:80"},
        {"RESULTSQ_MASTER_URL": "sqlite:////data/master.db"},
        {"RESULTSQ_SEND_MY_TOKEN_OVER_PLAIN_HTTP_WHERE_ANYONE_CAN_READ_IT": "true"},
    ],
)
def test_a_token_is_taken_when_nobody_can_read_it_or_that_is_allowed(given: dict[str, str]) -> None:
    assert load({**PLAIN, **given}).settings.master_url


def test_a_ca_file_that_cannot_be_used_is_told_with_all_other_faults_to_what_calls_the_master(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    unusable = {"gone.pem": "No such file", ".": "Is a directory", "empty.pem": "holds no certificates"}
    for name, why in unusable.items():
        environ = {**PLAIN, **SECOND, "RESULTSQ_MASTER_CA_FILE": str(tmp_path / name), "RESULTSQ_PORT": "eighty"}
        with pytest.raises(SettingsError) as refused:
            load(environ, calls_master=True)
        told = str(refused.value)
        assert told.startswith("3 settings are wrong:\n  ")
        assert f"The setting master_ca_file (from RESULTSQ_MASTER_CA_FILE) makes no sense: The file {tmp_path}" in told
        assert why in told


@pytest.mark.parametrize(
    ("url", "calls_master"),
    [("https://master.example", False), ("http://127.0.0.1:1", True), ("sqlite:////data/master.db", True), ("", True)],
)
def test_a_ca_file_is_not_looked_at_when_nothing_will_be_checked_against_it(url: str, calls_master: bool) -> None:
    environ = {"RESULTSQ_MASTER_URL": url, "RESULTSQ_MASTER_CA_FILE": "/nowhere/authority.pem"}
    assert load(environ, calls_master=calls_master).settings.master_ca_file


def test_certificates_are_taken_when_the_file_holds_some(tmp_path: Path) -> None:
    authority = str(certificates.write(tmp_path) / "authority.pem")
    environ = {"RESULTSQ_MASTER_URL": "https://master.example", "RESULTSQ_MASTER_CA_FILE": authority}
    assert load(environ, calls_master=True).settings.master_ca_file == Path(authority)


def test_a_token_is_renewed_when_the_ca_file_went_away_since(tmp_path: Path) -> None:
    token, authority = tmp_path / "token", tmp_path / "authority.pem"
    token.write_text("first")
    authority.write_text("")
    started = load({"RESULTSQ_MASTER_TOKEN_FILE": str(token), "RESULTSQ_MASTER_CA_FILE": str(authority)}).settings
    authority.unlink()
    token.write_text("second")
    assert started.renewed().master_token.get_secret_value() == "second"


def test_an_empty_ca_file_is_none() -> None:
    assert load({"RESULTSQ_MASTER_CA_FILE": ""}).settings.master_ca_file is None


def test_every_example_of_an_address_is_taken() -> None:
    for name, value in [
        ("master_url", "https://one.example:8443/prefix, http://[::1]:80"),
        ("master_url", "postgresql+psycopg://u:p@one,two/name"),
        ("master_url", "sqlite:////data/master.db"),
        ("broker_url", "redis+socket:///run/valkey.sock"),
        ("broker_url", "rediss://:pa55@broker:6379/0"),
        ("smtp_url", "smtps://me:p%40ss@mail.example"),
        ("master_proxy", "http://me:pa55@proxy:3128"),
        ("time_zone", "Australia/Perth"),
    ]:
        assert load({f"{PREFIX}{name.upper()}": value}).origin == {name: f"{PREFIX}{name.upper()}"}


@pytest.mark.parametrize("text", ["port = ", "\x00"])
def test_the_file_is_named_when_it_is_no_toml(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"resultsq\.toml is no TOML"):
        load(_file(tmp_path, text))


def test_the_file_is_named_when_it_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml cannot be read"):
        load({CONFIG_KEY: str(tmp_path / "nowhere.toml")})


def test_a_secret_is_read_when_a_file_holds_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    loaded = load({"RESULTSQ_MASTER_TOKEN_FILE": str(secret)})
    assert loaded.settings.master_token.get_secret_value() == "s3cret"
    assert loaded.origin["master_token"] == "RESULTSQ_MASTER_TOKEN_FILE"
    with pytest.raises(SettingsError, match="cannot be read"):
        load({"RESULTSQ_MASTER_TOKEN_FILE": str(tmp_path / "gone")})


def test_a_file_is_followed_when_what_it_holds_changes(tmp_path: Path) -> None:
    token, port = tmp_path / "token", tmp_path / "port"
    token.write_text("first\n")
    port.write_text("81")
    environ = {"RESULTSQ_MASTER_TOKEN_FILE": str(token), "RESULTSQ_PORT_FILE": str(port), "RESULTSQ_HOST": "a"}
    started = load(environ).settings
    assert started.renewed() is started
    token.write_text("second\n")
    renewed = started.renewed()
    assert (renewed.master_token.get_secret_value(), renewed.port, renewed.host) == ("second", 81, "a")
    assert renewed.renewed() is renewed
    for wrong in ("", "eighty-two"):
        port.write_text(wrong)
        assert renewed.renewed() is renewed, "half of a file is no setting"
    token.unlink()
    port.write_text("82")
    assert (renewed.renewed().master_token.get_secret_value(), renewed.renewed().port) == ("second", 82)


def test_a_file_is_not_followed_when_the_command_line_says_otherwise(tmp_path: Path) -> None:
    port = tmp_path / "port"
    port.write_text("81")
    started = load({"RESULTSQ_PORT_FILE": str(port)}, port=90).settings
    port.write_text("82")
    assert started.renewed() is started


def test_no_secret_is_shown_when_settings_are_listed() -> None:
    schemes = {"broker_url": "redis", "smtp_url": "smtp", "database_url": "postgresql", "master_url": "postgresql"}
    paths = {"master_proxy": "", "webhook_proxy": ""}
    secret = {
        name: f"{schemes.get(name, 'http')}://u:pa55@h{paths.get(name, '/d')}"
        for name, field in Settings.model_fields.items()
        if field.annotation is SecretStr
    }
    secret["athletes_mail_key"] = "pa55" * 8  # base64
    assert {"master_token", "database_url", "broker_url", "master_url", "secret_key", "bundle_keys"} <= set(secret)
    loaded = load({f"{PREFIX}{name.upper()}": value for name, value in secret.items()})
    rows = {name: value for name, value, _, _ in shown(loaded)}
    assert list(rows) == list(Settings.model_fields)
    assert {rows[name] for name in secret} == {"(hidden)"}
    assert "pa55" not in repr(loaded)


def test_the_data_folder_is_absolute_when_nobody_names_one() -> None:
    assert Settings().data_dir == Path("resultsq-data").absolute()


def test_every_setting_says_what_it_is_when_it_is_listed() -> None:
    assert [name for name, _, _, sentence in shown(load({})) if not sentence.endswith(".")] == []


def test_the_example_environment_is_the_class_when_it_is_compared() -> None:
    text = (CONFIG / "example.env").read_text()
    listed = re.findall(r"^# (.+)\n#RESULTSQ_([A-Z_]+)=(.*)$", text, re.MULTILINE)
    assert [(sentence, name.lower()) for sentence, name, _ in listed] == [
        (field.description, name) for name, field in Settings.model_fields.items()
    ]
    assert len(listed) == text.count("RESULTSQ_") - text.count("RESULTSQ_<NAME>")
    defaults = {f"{PREFIX}{name}": value for _, name, value in listed if value}
    assert load(defaults).settings == Settings()
    empty = {name.lower() for _, name, value in listed if not value}
    assert {str(getattr(Settings(), name)) for name in empty} == {"", "None"}


def test_the_page_of_settings_is_the_class_when_it_is_compared() -> None:
    assert (CONFIG / "settings.md").read_text() == page()  # `resultsq settings --page >config/settings.md`
    rows = re.findall(r"^\| `RESULTSQ_(\w+)` \|", page(), re.MULTILINE)
    assert [name.lower() for name in rows] == list(Settings.model_fields)


def test_the_example_file_is_taken_when_it_is_loaded() -> None:
    loaded = load({CONFIG_KEY: str(CONFIG / "resultsq.example.toml")})
    assert loaded.settings.store_url.startswith("postgresql+psycopg://")
    assert loaded.settings.port == 8080
