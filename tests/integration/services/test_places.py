"""Where the servers listen and keep their data, and what is said when that is impossible."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from config.services import ServicesError, pg_binary, services
from config.services.client import VARIABLES
from config.services.places import CHECKOUT, RELOCATED
from tests.integration.services.conftest import Sandbox

pytestmark = pytest.mark.services


def test_deep_folder_gets_a_short_private_folder_for_sockets(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    sandbox = make_sandbox("deep" * 30)
    assert len(str(sandbox.data)) > 107

    with services(profile="test", environ=sandbox.env) as servers:
        folder = Path(servers.database_url.partition("host=")[2])
        assert len(str(folder)) < 90
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert redis.Redis.from_url(servers.cache_url).ping() is True

    assert not folder.exists()


def test_ports_are_loopback_with_a_password_and_free_when_the_default_is_taken(
    sandbox: Sandbox,
) -> None:
    taken: list[socket.socket] = []
    for port in (5432, 6379, 6380):
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", port))
            holder.listen()
        except OSError:  # taken by somebody else: as good
            holder.close()
        else:
            taken.append(holder)
    try:
        with services(profile="test", environ=sandbox.env | {"TESSERA_TCP": "1"}) as servers:
            urls = [servers.database_url, servers.broker_url, servers.cache_url]
            assert {urlsplit(url).hostname for url in urls} == {"127.0.0.1"}
            ports = [urlsplit(url).port for url in urls]
            assert not {5432, 6379, 6380} & set(ports)
            with psycopg.connect(servers.database_url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert redis.Redis.from_url(servers.cache_url).ping() is True
            with socket.create_connection(("127.0.0.1", ports[1] or 0)) as stranger:
                stranger.sendall(b"PING\r\n")
                assert stranger.recv(64).startswith(b"-NOAUTH")
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(f"postgresql://tessera:wrong@127.0.0.1:{ports[0]}/tessera")
    finally:
        for holder in taken:
            holder.close()


def test_given_addresses_start_nothing(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    given = {
        "DATABASE_URL": "postgresql://a@/b",
        "BROKER_URL": "amqp://c",
        "CACHE_URL": "redis://d",
    }

    done = sandbox.run(
        "exec", "--", "sh", "-c", "echo $DATABASE_URL $BROKER_URL $CACHE_URL", env=given
    )

    assert done.stdout == "postgresql://a@/b amqp://c redis://d\n"
    assert list(sandbox.data.iterdir()) == []


def test_only_what_is_missing_is_started(sandbox: Sandbox) -> None:
    given = sandbox.env | {"DATABASE_URL": "postgresql://a@/b"}

    with services(profile="test", environ=given) as servers:
        assert servers.database_url == "postgresql://a@/b"
        assert servers.database_admin_url == ""
        assert sorted(servers.pids) == ["broker", "cache"]
        # A later user who needs the database gets it from the same keeper.
        with services(profile="test", environ=sandbox.env) as more:
            assert sorted(more.pids) == ["broker", "cache", "database"]
            assert more.pids["cache"] == servers.pids["cache"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")
def test_root_in_a_closed_folder_opens_nothing(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox("data", mode=0o700)

    with services(profile="test", environ=sandbox.env) as servers:
        server = Path(f"/proc/{servers.pids['database']}")
        assert server.stat().st_uid != 0
        assert (server / "cwd").readlink().is_relative_to(RELOCATED)
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        home = (server / "cwd").readlink().parent

    assert stat.S_IMODE(sandbox.data.parent.stat().st_mode) == 0o700
    assert sandbox.run("clean").returncode == 0
    assert not home.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_root_serves_the_owner_of_the_folder(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox("data")
    nobody = 65534
    os.chown(sandbox.data.parent, nobody, nobody)

    with services(profile="test", environ=sandbox.env) as servers:
        assert Path(f"/proc/{servers.pids['database']}").stat().st_uid == nobody
    root = sandbox.data / "services" / "test"
    assert {path.stat().st_uid for path in (sandbox.data, root, *root.iterdir())} == {nobody}


def test_folder_that_can_not_be_made_is_one_clear_line(sandbox: Sandbox) -> None:
    done = sandbox.run("exec", "--", "true", env={"TESSERA_DATA": "/proc/nowhere"})

    assert done.returncode == 1
    assert done.stderr.startswith("tessera: /proc/nowhere")
    assert done.stderr.rstrip().endswith("set TESSERA_DATA to a folder that you can write")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL: must be a postgresql:// address"),
        ({"BROKER_URL": "kafka://x"}, "BROKER_URL: must be a redis://"),
        ({"CACHE_URL": "memcached://x"}, "CACHE_URL: must be a redis://"),
        ({"PORT": "eighty"}, "PORT: "),
        ({"DATABASE_URL": ""}, "DATABASE_URL: not set."),
    ],
)
def test_missing_or_wrong_variable_is_one_clear_line(
    sandbox: Sandbox, changed: dict[str, str], line: str
) -> None:
    good = {
        "DATABASE_URL": "postgresql://a@/b",
        "BROKER_URL": "redis://c",
        "CACHE_URL": "redis://d",
        "TESSERA_MODE": "test",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=CHECKOUT,
        env=sandbox.env | good | changed,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith(f"tessera: {line}")
    assert len(done.stderr.splitlines()) == 1


def test_client_programs_come_from_the_package_and_else_from_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "(PostgreSQL) 18." in subprocess.check_output([pg_binary("pg_dump"), "-V"], text=True)
    assert "(PostgreSQL) 18." in subprocess.check_output([pg_binary("pgbench"), "-V"], text=True)

    other = tmp_path / "pg_other"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pg_binary("pg_other") == str(other)
    with pytest.raises(ServicesError, match="pg_missing not found"):
        pg_binary("pg_missing")


def test_every_service_has_its_variable() -> None:
    assert set(VARIABLES.values()) == {"DATABASE_URL", "BROKER_URL", "CACHE_URL"}
