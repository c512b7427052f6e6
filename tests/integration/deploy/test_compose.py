"""docker-compose.yml: what an engine would start is started here, as processes on the engines of the wheels.

Each service runs its own command in its own environment; only the names that an engine gives (hosts, ports,
mounted secrets and volumes) are put in the test's terms. Images of others are not run: their part is taken by
PostgreSQL and Valkey, and by scripts where a command calls what its image holds."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from tests.conftest import give_up
from tests.integration.deploy import compose
from tests.support.days import DAY
from tests.support.processes import ROOT, Process, environment
from tests.support.services import HOST, Missing, PostgreSQL, Valkey, free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

DEMO = compose.environment_file("demo.env")
REPLICAS = {"web": 2, "worker": 2}
SECRETS = {"database_password": "pa55word", "broker_password": "br0ker-pa55word", "master_token": "m4ster-token"}
OURS = {"migrate", "web", "worker", "master"}


@dataclass
class Container:
    """One process in a container's place. `words` says what each name of the file is here."""

    service: Mapping[str, Any]
    words: Mapping[str, str]
    process: Process | None = None

    @property
    def environ(self) -> dict[str, str]:
        return {name: self.put(str(value)) for name, value in self.service.get("environment", {}).items()}

    @property
    def command(self) -> list[str]:
        return [self.put(word) for word in self.service["command"]]

    @property
    def port(self) -> int:
        return int(self.command[self.command.index("--port") + 1])

    def put(self, text: str) -> str:
        """`text` in the test's terms."""
        return re.sub("|".join(map(re.escape, self.words)), lambda found: self.words[found[0]], text)


@dataclass
class Stack:
    """All that compose would have started."""

    file: Mapping[str, Any]
    containers: dict[str, list[Container]] = field(default_factory=dict)

    def one(self, service: str, number: int = 0) -> Container:
        return self.containers[service][number]

    def run(self, *words: str) -> str:
        """`docker compose run web …`: what the command answers."""
        with Process(*words, env=self.one("web").environ) as command:
            assert command.wait(60) == 0, str(command)
            return command.stdout

    def call(self, container: Container, path: str, token: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{HOST}:{container.port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)


@dataclass
class Broker:
    """The service redis: its own command and health check, on Valkey."""

    service: Mapping[str, Any]
    folder: Path
    secrets: Path
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        """Put what the commands call into a folder: here it listens on a port of its own."""
        self.folder.mkdir()
        server = f'exec {Valkey().binary} "$@" --bind {HOST} --port {self.port} --dir {self.folder}'
        ping = (
            "import os, sys, redis\n"
            f"client = redis.Redis('{HOST}', {self.port}, password=os.environ.get('REDISCLI_AUTH'))\n"
            "try:\n    print('PONG' if client.ping() else '')\n"
            "except redis.AuthenticationError as error:\n    print(error)  # and it ends well, as redis-cli does\n"
        )
        shebang = "#!/bin/sh"
        self._script("docker-entrypoint.sh", f'{shebang}\nexec "$@"\n')
        self._script("redis-server", f"{shebang}\n{server}\n")
        self._script("redis-cli", f"#!{sys.executable}\n{ping}")

    def _script(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o700)

    def start(self, words: Sequence[str]) -> "subprocess.Popen[bytes]":
        """One of the commands, where its image and its secrets are."""
        here = [word.replace("/run/secrets", str(self.secrets)) for word in words]
        path = f"{self.folder}:{os.environ['PATH']}"
        return subprocess.Popen(here, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE)

    def is_healthy(self) -> bool:
        kind, script = self.service["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        with self.start(["sh", "-c", script]) as check:
            return check.wait(30) == 0

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        with self.start(self.service["command"]) as server:
            try:
                wait_until(self.is_healthy, 30, "the broker", every_s=0.2)
                yield server
            finally:
                server.terminate()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Broker:
    folder = tmp_path_factory.mktemp("broker")
    (folder / "broker_password").write_text(f"{SECRETS['broker_password']}\n")
    return Broker(compose.read(DEMO)["services"]["redis"], folder / "image", folder)


@pytest.fixture(scope="module")
def stack(postgresql: PostgreSQL, broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`docker compose --env-file config/demo.env --profile demo up --scale web=2 --scale worker=2`."""
    folder = tmp_path_factory.mktemp("compose")
    raised = Stack(compose.read({**DEMO, "SECRETS_DIR": str(folder / "secrets")}))
    services = raised.file["services"]
    _database(postgresql, services["postgres"], SECRETS["database_password"])
    words = {
        "@postgres/": f"@{HOST}:{postgresql.port}/",
        "redis:6379": f"{HOST}:{broker.port}",
        "master:8470": f"{HOST}:{(master_port := free_port())}",
        "8470": str(master_port),
        "0.0.0.0": HOST,
        "/run/secrets": str(folder / "secrets"),
        "/var/lib/resultsq": str(folder / "data"),
        "/var/lib/results-master": str(folder / "master"),
    }
    (folder / "secrets").mkdir()
    urls = {name: _told_url(name) for name in ("database_url", "broker_url")}
    urls = {name: url.replace(at, words[at]) for name, url in urls.items() for at in words if at in url}
    for name, content in {**SECRETS, **urls}.items():
        (folder / "secrets" / name).write_text(f"{content}\n")
    (folder / "root").mkdir()  # read-only in a container: nothing may be written there
    with ExitStack() as running:
        running.enter_context(broker.running())
        for name in ("migrate", "web", "worker", "master"):
            for _ in range(REPLICAS.get(name, 1)):
                container = Container(
                    services[name], {**words, **{port: str(free_port()) for port in ("8080", "9100")}}
                )
                raised.containers.setdefault(name, []).append(container)
                started = Process(*container.command, env=container.environ, cwd=folder / "root")
                container.process = running.enter_context(started)
                if name == "migrate":  # service_completed_successfully
                    assert started.wait(60) == 0, str(started)
        for name, text in (("web", "web.ready"), ("worker", "worker.starting"), ("master", "master.ready")):
            for container in raised.containers[name]:
                assert container.process is not None
                container.process.wait_for(text, 60)
        yield raised
        assert list((folder / "root").iterdir()) == []
        for container in (one for several in raised.containers.values() for one in several):
            print(container.process)


def _database(server: PostgreSQL, service: Mapping[str, Any], password: str) -> None:
    """What the image does at its first start."""
    told = service["environment"]
    assert told["POSTGRES_PASSWORD_FILE"] == "/run/secrets/database_password"
    with psycopg.connect(host=HOST, port=server.port, user="postgres", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {told['POSTGRES_USER']} LOGIN PASSWORD '{password}'".encode())
        admin.execute(f"CREATE DATABASE {told['POSTGRES_DB']} OWNER {told['POSTGRES_USER']}".encode())


def _told_url(name: str) -> str:
    """The URL as the head of the file tells to write it."""
    found = re.search(rf'echo "([^"]+)" >{name}\n', compose.FILE.read_text())
    assert found is not None
    return re.sub(r"\$\(cat (\w+)\)", lambda secret: SECRETS[secret[1]], found[1])


def _checks(stack: Stack) -> Iterator[tuple[str, Container]]:
    """The last of each service that has one."""
    for name, containers in stack.containers.items():
        if "healthcheck" in containers[-1].service:
            yield name, containers[-1]


def _here(words: Sequence[str]) -> list[str]:
    """A command as this machine has it."""
    assert words[0] == "CMD"
    match words[1]:
        case "python":
            return [sys.executable, *words[2:]]
        case "resultsq":
            return [sys.executable, "-m", "resultsq", *words[2:]]
        case other:
            raise AssertionError(f"{other} is in none of our images")


def test_a_submission_reaches_the_master_when_everything_runs_as_the_file_says(stack: Stack) -> None:
    stack.run("event", "add", "bushy", "Bushy Park")
    token = stack.run("token", "issue", "--event", "bushy").strip()
    rows = [{"position": 1, "athlete": "A1234567", "time": "00:17:31"}]
    results = {"event": "bushy", "date": DAY, "finishers": rows}
    status, sent = stack.call(stack.one("web", 0), "/api/v1/submissions", token, results)
    assert status == 201

    def published() -> bool:
        _, seen = stack.call(stack.one("web", 1), f"/api/v1/submissions/{sent['id']}", token)
        return bool(seen["state"] == "published")

    wait_until(published, 30, "the publication", every_s=0.2)
    master = stack.one("master")
    receipt = stack.call(master, f"/v1/submissions/{sent['id']}", SECRETS["master_token"])[1]
    assert (receipt["event"], receipt["revision"]) == ("bushy", 1)


def test_each_worker_shows_its_own_figures_when_prometheus_comes(stack: Stack) -> None:
    jobs = compose.parse((ROOT / "config" / "watch" / "prometheus.yml").read_text())["scrape_configs"]
    found = {(job["names"][0], job["port"]) for one in jobs for job in one["dns_sd_configs"]}
    assert found == {("web", 8080), ("worker", 9100)}
    for worker in stack.containers["worker"]:
        port = worker.environ["RESULTSQ_WORKER_METRICS_PORT"]
        with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
            counted = re.search(r'_write_seconds_count\{work="claim"\} (\S+)', answer.read().decode())
        assert counted is not None
        assert float(counted[1]) > 0


def test_every_health_check_passes_when_everything_runs(stack: Stack) -> None:
    def passes(container: Container) -> bool:
        command = _here([container.put(word) for word in container.service["healthcheck"]["test"]])
        done = subprocess.run(command, env=environment(container.environ), capture_output=True, timeout=60)
        return done.returncode == 0

    checked = dict(_checks(stack))
    assert set(checked) == OURS - {"migrate"}
    for name, container in checked.items():
        wait_until(partial(passes, container), 60, f"the health of {name}", every_s=1)


def test_a_health_check_fails_when_its_process_is_gone(stack: Stack) -> None:
    web = stack.one("web")
    nowhere = Container(web.service, {**web.words, "8080": str(free_port())})
    command = _here([nowhere.put(word) for word in nowhere.service["healthcheck"]["test"]])
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0


def test_the_database_answers_its_health_check_when_it_runs(stack: Stack, postgresql: PostgreSQL) -> None:
    command = stack.file["services"]["postgres"]["healthcheck"]["test"][1:]
    program = shutil.which(command[0]) or str(postgresql.binaries / command[0])
    where = {"PGPORT": str(postgresql.port)}  # the host is the command's: a socket answers too early
    assert subprocess.run([program, *command[1:]], env={**os.environ, **where}, timeout=30).returncode == 0


def test_the_broker_keeps_what_it_was_told_and_answers_nobody_without_its_password(
    stack: Stack, broker: Broker
) -> None:
    with redis.Redis(HOST, broker.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis(HOST, broker.port, password=SECRETS["broker_password"]) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        users = {one["user"] for one in client.client_list() if one["id"] != str(client.client_id())}
    assert users == {"default"}, "web and worker are connected"
    assert broker.is_healthy()


def test_the_broker_is_ill_when_its_password_is_another(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "broker_password").write_text("another\n")
    apart = Broker(broker.service, tmp_path / "image", broker.secrets)
    with apart.running():
        apart.secrets = tmp_path
        assert not apart.is_healthy()


@pytest.mark.parametrize("content", [None, ""])
def test_the_broker_does_not_start_when_its_password_is_not_there(
    broker: Broker, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "broker_password").write_text(content)
    apart = Broker(broker.service, tmp_path / "image", tmp_path)
    with apart.start(apart.service["command"]) as server:
        try:
            assert server.wait(30) != 0
        finally:
            server.kill()


def test_the_password_of_the_broker_is_on_no_command_line(broker: Broker, tmp_path: Path) -> None:
    apart = Broker(broker.service, tmp_path / "image", broker.secrets)
    with apart.running() as server:
        for shown in ("cmdline", "environ"):
            assert SECRETS["broker_password"] not in Path(f"/proc/{server.pid}/{shown}").read_text()


def test_no_secret_is_in_the_environment_when_a_service_starts(stack: Stack) -> None:
    for name, several in stack.containers.items():
        for container in several:
            shown = json.dumps([container.environ, container.command])
            assert not [secret for secret in SECRETS.values() if secret in shown], name


def test_every_service_is_hardened_and_comes_back_when_it_dies() -> None:
    file = compose.read(DEMO)
    for name, service in file["services"].items():
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == ("on-failure" if name == "migrate" else "unless-stopped"), name
        assert name == "migrate" or "healthcheck" in service, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        if name in OURS:
            assert (service["user"], service["cap_drop"], service["tmpfs"]) == ("10001:10001", ["ALL"], ["/tmp"]), name
        mounted = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert {volume for volume in mounted if not volume.startswith("./")} <= set(file["volumes"]), name
        assert all((ROOT / volume).exists() for volume in mounted if volume.startswith("./")), name
        assert set(service.get("secrets", ())) <= set(file["secrets"]), name


def test_each_service_meets_those_alone_that_it_needs() -> None:
    file = compose.read(DEMO)
    nets = {name: set(service["networks"]) for name, service in file["services"].items()}
    met = {name: {other for other in nets if other != name and nets[other] & nets[name]} for name in nets}
    assert met["redis"] == {"web", "worker"}
    assert met["postgres"] == {"migrate", "web", "worker"}
    assert met["grafana"] == {"prometheus", "web", "worker"}
    assert met["master"] == {"web", "worker"}
    assert {name for name, one in file["networks"].items() if (one or {}).get("internal")} == {"store", "broker"}
    assert set().union(*nets.values()) == set(file["networks"])


def test_no_service_takes_all_memory_of_the_host() -> None:
    limits = {name: service.get("mem_limit", "") for name, service in compose.read(DEMO)["services"].items()}
    assert [name for name, limit in limits.items() if not re.fullmatch(r"\d+m|1g", limit)] == []


def test_the_image_is_built_once_and_fetched_never_when_compose_starts_all() -> None:
    ours = {name: service for name, service in compose.read(DEMO)["services"].items() if name in OURS}
    assert {(service["image"], service["pull_policy"]) for service in ours.values()} == {("resultsq", "never")}
    assert [name for name, service in ours.items() if "build" in service] == ["migrate"]
    assert all("migrate" in ours[name]["depends_on"] for name in ("web", "worker"))
    build = ours["migrate"]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()


def test_nothing_is_left_out_of_the_context_when_the_image_is_built() -> None:
    lines = (ROOT / "config" / "Dockerfile").read_text().splitlines()
    copied = {
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    }
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)
    assert [line for line in ignored if not line.startswith("!")] == ["*", "**/__pycache__"]


def test_the_master_has_to_be_named_when_it_is_not_the_demo() -> None:
    with pytest.raises(KeyError, match="RESULTSQ_MASTER_URL"):
        compose.read({})


def _docker_compose() -> str:
    program = shutil.which("docker-compose")
    if program is None:
        give_up(Missing("No docker-compose here: install Debian's package of that name; it needs no engine."))
    return program


def test_one_sentence_says_what_to_set_when_the_master_is_not_named() -> None:
    program = _docker_compose()
    given = {name: value for name, value in os.environ.items() if not name.startswith("RESULTSQ_")}
    done = subprocess.run([program, "-f", str(compose.FILE), "config"], env=given, capture_output=True, text=True)
    assert done.returncode != 0
    said = done.stderr.strip().splitlines()
    assert len(said) == 1
    assert "RESULTSQ_MASTER_URL" in said[0]
    assert "https://master.example.org" in said[0]


def test_an_engine_reads_the_file_as_the_tests_do_when_it_is_asked() -> None:
    program = _docker_compose()
    with_profiles = [program, "-f", str(compose.FILE), "--profile", "demo", "--profile", "watch", "config"]
    done = subprocess.run(with_profiles, env={**os.environ, **DEMO}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    theirs, ours = compose.fill(done.stdout, {})["services"], compose.read(DEMO)["services"]
    assert set(theirs) == set(ours)
    for name, service in ours.items():
        told = theirs[name]
        assert told.get("command") == service.get("command"), name
        assert told.get("healthcheck", {}).get("test") == service.get("healthcheck", {}).get("test"), name
        assert {key: str(value) for key, value in (told.get("environment") or {}).items()} == {
            key: str(value) for key, value in service.get("environment", {}).items()
        }, name
