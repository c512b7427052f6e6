"""The files for a host without containers: systemd's units and nginx in front, read by their own programs."""

import http.client
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from resultsq.cli import commands
from resultsq.settings import Settings
from tests.support.nginx import installed, running, whole
from tests.support.processes import ROOT

UNITS = sorted((ROOT / "config" / "systemd").glob("*.service"))
NGINX = ROOT / "config" / "nginx.conf"
PROGRAM = "/opt/resultsq/bin/resultsq"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_when_it_reads_a_unit(unit: Path, tmp_path: Path) -> None:
    program = tmp_path / "resultsq"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(PROGRAM, str(program)))
    asked = [installed("systemd-analyze", "systemd"), "verify", "--man=no", str(copy)]
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


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_ended_before_it_takes_the_machines_memory(unit: Path) -> None:
    found = re.search(r"^MemoryMax=(\d+)M$", unit.read_text(), re.MULTILINE)
    assert found is not None
    assert 512 <= int(found[1]) <= 2048


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
    program = installed("nginx", "nginx-light")
    _certificate(tmp_path)
    (tmp_path / "site.conf").write_text(NGINX.read_text().replace("/etc/ssl/results.example.org", str(tmp_path)))
    (tmp_path / "nginx.conf").write_text(whole(tmp_path, f"access_log off;\ninclude {tmp_path}/site.conf;"))
    asked = [program, "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@pytest.fixture
def proxy(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[tuple[int, int]]:
    """The example as it is, but for its ports, with a log of each request; the node is away. Its two ports."""
    plain, secure = free_port(), free_port()
    _certificate(tmp_path)
    site = NGINX.read_text().replace("/etc/ssl/results.example.org", str(tmp_path))
    site = site.replace("listen 80", f"listen 127.0.0.1:{plain}").replace("listen 443", f"listen 127.0.0.1:{secure}")
    site = re.sub(r"server 127\.0\.0\.1:80\d\d;", f"server 127.0.0.1:{free_port()};", site)
    more = f"daemon off;\nmaster_process off;\nerror_log {tmp_path / 'error.log'};\n"
    (tmp_path / "nginx.conf").write_text(whole(tmp_path, f"access_log {tmp_path / 'access.log'};\n{site}", more))
    with running(tmp_path, secure):
        yield plain, secure


def _asked(connection: http.client.HTTPConnection, path: str, host: str) -> int:
    with closing(connection):
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status


def test_the_proxy_does_not_answer_to_another_name(proxy: tuple[int, int]) -> None:
    plain, secure = proxy
    trusting = ssl._create_unverified_context()
    assert _asked(http.client.HTTPConnection("127.0.0.1", plain), "/", "results.example.org") == 308
    with pytest.raises(http.client.RemoteDisconnected):
        _asked(http.client.HTTPConnection("127.0.0.1", plain), "/", "elsewhere.example.org")
    with pytest.raises(ssl.SSLError):
        _asked(http.client.HTTPSConnection("127.0.0.1", secure, context=trusting), "/", "results.example.org")


def test_a_password_link_is_in_no_log_of_the_proxy(proxy: tuple[int, int], tmp_path: Path) -> None:
    trusting = ssl._create_unverified_context()
    for path in ("/seen", "/password/s3cret"):
        with closing(
            trusting.wrap_socket(
                socket.create_connection(("127.0.0.1", proxy[1]), 10), server_hostname="results.example.org"
            )
        ) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: results.example.org\r\nConnection: close\r\n\r\n".encode())
            assert b" 502 " in line.recv(4096)
    logs = (tmp_path / "access.log").read_text() + (tmp_path / "error.log").read_text()
    assert logs.count("/seen") >= 2
    assert "s3cret" not in logs


@pytest.mark.parametrize(
    ("size", "status", "says"),
    [(0, 502, "Everything that was saved before is safe."), (11 * 2**20, 413, "leave a file out and send the rest.")],
)
def test_the_proxys_own_refusals_say_what_to_do(proxy: tuple[int, int], size: int, status: int, says: str) -> None:
    trusting = ssl._create_unverified_context()
    line = socket.create_connection(("127.0.0.1", proxy[1]), 10)
    with closing(trusting.wrap_socket(line, server_hostname="results.example.org")) as sent:
        head = f"POST /submit/bushy/files HTTP/1.1\r\nHost: results.example.org\r\nContent-Length: {size}\r\n\r\n"
        sent.sendall(head.encode())
        answer = http.client.HTTPResponse(sent, method="POST")
        answer.begin()
        page = answer.read().decode()
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html")
    assert says in page


def test_the_proxy_lets_the_node_refuse_by_itself_when_an_upload_is_large() -> None:
    found = re.search(r"client_max_body_size\s+(\d+)m;", NGINX.read_text())
    assert found is not None
    assert int(found[1]) * 1024 * 1024 > Settings().max_body_bytes


def test_the_proxy_overwrites_every_header_that_the_node_believes_when_it_passes_a_request_on() -> None:
    told = set(re.findall(r"proxy_set_header (X-Forwarded-\w+)", NGINX.read_text()))
    assert told == {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix"}
