"""The files for a host without containers: systemd's units and nginx in front, read by their own programs."""

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from resultsq.cli import commands
from resultsq.settings import Settings
from tests.conftest import give_up
from tests.support.processes import ROOT
from tests.support.services import Missing

UNITS = sorted((ROOT / "config" / "systemd").glob("*.service"))
NGINX = ROOT / "config" / "nginx.conf"
PROGRAM = "/opt/resultsq/bin/resultsq"


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        give_up(Missing(f"No {name} here: install Debian's {package}."))
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_when_it_reads_a_unit(unit: Path, tmp_path: Path) -> None:
    program = tmp_path / "resultsq"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(PROGRAM, str(program)))
    asked = [_program("systemd-analyze", "systemd"), "verify", "--man=no", str(copy)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, []), done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_there_is_when_it_is_enabled(unit: Path) -> None:
    found = re.search(rf"^ExecStart={PROGRAM} (.+)$", unit.read_text(), re.MULTILINE)
    assert found is not None
    name, *rest = found[1].replace("%i", "8080").split()
    command = commands.get_command(None, name)  # type: ignore[arg-type]  # the group needs no context
    assert command is not None
    command.make_context(name, rest)


def _certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "results.example.org")])
    began = datetime.now(UTC) - timedelta(days=1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(began).not_valid_after(began + timedelta(days=9))
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    plain = serialization.NoEncryption()
    (folder / "privkey.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


def test_nginx_finds_nothing_when_it_reads_the_example(tmp_path: Path) -> None:
    program = _program("nginx", "nginx-light")
    _certificate(tmp_path)
    (tmp_path / "site.conf").write_text(NGINX.read_text().replace("/etc/ssl/results.example.org", str(tmp_path)))
    temporary = "".join(
        f"{kind}_temp_path {tmp_path / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = (
        f"pid {tmp_path / 'pid'};\nevents {{}}\nhttp {{ access_log off;\n{temporary}include {tmp_path}/site.conf; }}"
    )
    (tmp_path / "nginx.conf").write_text(whole)
    asked = [program, "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_the_proxy_lets_the_node_refuse_by_itself_when_an_upload_is_large() -> None:
    found = re.search(r"client_max_body_size\s+(\d+)m;", NGINX.read_text())
    assert found is not None
    assert int(found[1]) * 1024 * 1024 > Settings().max_body_bytes


def test_the_proxy_overwrites_every_header_that_the_node_believes_when_it_passes_a_request_on() -> None:
    told = set(re.findall(r"proxy_set_header (X-Forwarded-\w+)", NGINX.read_text()))
    assert told == {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix"}
