"""The embedded servers live exactly as long as somebody uses them, whatever happens."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import psycopg
import pytest
import redis

from config.services import get_running_urls, services
from config.services.processes import process_is_alive
from tests.integration.services.conftest import Popen, Sandbox, asking, read_line, wait_for

pytestmark = pytest.mark.services

USE_ALL = """
import os, psycopg, redis
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    print(*connection.execute(
        "SELECT current_user, rolsuper, current_setting('fsync'), current_setting('server_version')"
        " FROM pg_roles WHERE rolname = current_user").fetchone())
cache = redis.Redis.from_url(os.environ["CACHE_URL"], decode_responses=True)
print(cache.ping(), cache.config_get("maxmemory-policy")["maxmemory-policy"])
broker = redis.Redis(unix_socket_path=os.environ["BROKER_URL"].removeprefix("redis+socket://"),
                     decode_responses=True)
print(broker.config_get("appendonly")["appendonly"],
      broker.config_get("maxmemory-policy")["maxmemory-policy"])
raise SystemExit(7)
"""
SHOW_AND_SLEEP = """
import os, time
print(os.environ.get("DATABASE_URL"), flush=True)
time.sleep(300)
"""


def state(sandbox: Sandbox) -> dict[str, object]:
    """Return what the keeper wrote about itself."""
    content = (sandbox.data / "services" / "test" / "state.json").read_text()
    found: dict[str, object] = json.loads(content)
    return found


def pid_of(sandbox: Sandbox, name: str) -> int:
    """Return a server's process id."""
    pids = state(sandbox)["pids"]
    assert isinstance(pids, dict)
    return int(pids[name])


def keeper_of(sandbox: Sandbox) -> int:
    """Return the keeper's process id."""
    pid = state(sandbox)["keeper"]
    assert isinstance(pid, int)
    return pid


def test_exec_gives_working_servers_and_the_command_its_exit_code(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    sandbox = make_sandbox()

    done = sandbox.run(*asking(USE_ALL))

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "tessera False off 18.6",
        "True allkeys-lru",
        "yes noeviction",
    ]
    assert done.returncode == 7
    assert sandbox.list_processes() == []


def test_data_outlives_the_servers(sandbox: Sandbox) -> None:
    with services(profile="demo", environ=sandbox.env) as first:
        with psycopg.connect(first.database_url) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            connection.execute("DROP TABLE IF EXISTS kept")
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        redis.Redis(unix_socket_path=first.broker_url.removeprefix("redis+socket://")).set("k", "v")
    assert sandbox.list_processes() == []
    assert get_running_urls(profile="demo", environ=sandbox.env) == {}

    with services(profile="demo", environ=sandbox.env) as second:
        with psycopg.connect(second.database_url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        broker = redis.Redis(unix_socket_path=second.broker_url.removeprefix("redis+socket://"))
        assert broker.get("k") == b"v"
        assert get_running_urls(profile="demo", environ=sandbox.env) == second.variables()


def test_second_user_attaches_and_the_last_one_stops(sandbox: Sandbox, users: list[Popen]) -> None:
    with services(profile="test", environ=sandbox.env) as first:
        second = sandbox.start(*asking(SHOW_AND_SLEEP))
        users.append(second)
        assert read_line(second) == first.database_url
        assert pid_of(sandbox, "database") == first.pids["database"]

    assert process_is_alive(first.pids["database"])
    second.send_signal(signal.SIGTERM)
    assert second.wait(20) == 128 + signal.SIGTERM
    assert sandbox.list_processes() == []


def test_users_that_start_at_once_share_the_servers(sandbox: Sandbox, users: list[Popen]) -> None:
    users += [sandbox.start(*asking(SHOW_AND_SLEEP)) for _ in range(4)]
    urls = {read_line(user) for user in users}

    assert len(urls) == 1
    servers = [line for line in sandbox.list_processes() if "bin/postgres -D" in line]
    assert len(servers) == 1
    for user in users:
        user.send_signal(signal.SIGTERM)
    assert [user.wait(20) for user in users] == [128 + signal.SIGTERM] * 4
    assert sandbox.list_processes() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_to_exec_ends_command_and_servers(
    sandbox: Sandbox, users: list[Popen], number: signal.Signals
) -> None:
    user = sandbox.start(*asking(SHOW_AND_SLEEP, only="cache"))
    users.append(user)
    read_line(user)

    user.send_signal(number)

    assert user.wait(20) != 0
    assert sandbox.list_processes() == []


def test_killed_user_leaves_nothing(sandbox: Sandbox, users: list[Popen]) -> None:
    user = sandbox.start(*asking(SHOW_AND_SLEEP))
    users.append(user)
    read_line(user)
    assert len(sandbox.list_processes()) > 4

    user.kill()

    assert sandbox.wait_until_gone() == []


def test_user_and_keeper_killed_together_leave_nothing(
    sandbox: Sandbox, users: list[Popen]
) -> None:
    user = sandbox.start(*asking(SHOW_AND_SLEEP))
    users.append(user)
    read_line(user)

    os.kill(keeper_of(sandbox), signal.SIGKILL)
    user.kill()

    assert sandbox.wait_until_gone() == []
    assert sandbox.run(*asking("print(1)")).stdout == "1\n"


def test_command_leaves_no_grandchildren(sandbox: Sandbox) -> None:
    done = sandbox.run(
        "exec", "--profile", "test", "--only", "cache", "--",
        "sh", "-c", "sleep 300 & setsid sleep 301 & exit 3",
    )  # fmt: skip

    assert done.returncode == 3
    assert sandbox.list_processes() == []


def test_start_after_a_crash_with_a_strangers_process_id(
    sandbox: Sandbox, users: list[Popen]
) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], text=True)
    users.append(stranger)
    user = sandbox.start(*asking(SHOW_AND_SLEEP))
    users.append(user)
    read_line(user)
    server = pid_of(sandbox, "database")
    os.kill(keeper_of(sandbox), signal.SIGSTOP)  # so that it can not tidy up
    os.kill(server, signal.SIGKILL)
    os.kill(keeper_of(sandbox), signal.SIGKILL)
    user.kill()
    assert sandbox.wait_until_gone() == []
    stale = sandbox.data / "services" / "test" / "database" / "postmaster.pid"
    bystander = subprocess.Popen(["sleep", "300"], cwd=stale.parent, text=True)
    users.append(bystander)
    lines = stale.read_text().splitlines()
    assert lines[0] == str(server)
    stale.write_text("\n".join([str(stranger.pid), *lines[1:]]))

    assert sandbox.run(*asking("print(1)")).stdout == "1\n"
    assert stranger.poll() is None
    assert bystander.poll() is None


def test_crashed_servers_are_started_again(sandbox: Sandbox) -> None:
    with services(profile="test", environ=sandbox.env) as servers:
        for name in ("database", "broker"):
            before = servers.pids[name]
            os.kill(before, signal.SIGKILL)
            assert wait_for(lambda name=name, before=before: pid_of(sandbox, name) != before)
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        broker = redis.Redis(unix_socket_path=servers.broker_url.removeprefix("redis+socket://"))
        assert broker.ping() is True


def test_started_servers_stay_until_stopped(sandbox: Sandbox) -> None:
    started = sandbox.run("start", "--profile", "test", "--only", "cache")
    assert started.stdout == f"CACHE_URL=unix://{sandbox.data}/services/test/run/cache.sock?db=0\n"
    assert sandbox.run("status").stdout.splitlines()[1].startswith("test: running")

    with services(profile="test", only=("cache",), environ=sandbox.env):
        pass
    assert len(sandbox.list_processes()) == 2
    with services(profile="test", only=("cache",), environ=sandbox.env):
        refused = sandbox.run("stop", "--profile", "test")
        assert refused.returncode == 1
        assert "in use" in refused.stdout

    assert sandbox.run("stop", "--profile", "test").returncode == 0
    assert sandbox.list_processes() == []
    assert sandbox.run("status").returncode == 3


@pytest.mark.parametrize(("profile", "code"), [("test", 0), ("demo", 1)])
def test_spoilt_data_is_made_anew_for_tests_but_never_for_the_demo(
    sandbox: Sandbox, profile: str, code: int
) -> None:
    command = ("exec", "--profile", profile, "--only", "database", "--", "true")
    assert sandbox.run(*command).returncode == 0
    control = sandbox.data / "services" / profile / "database" / "global" / "pg_control"
    good = control.read_bytes()
    spoilt = b"\0" * len(good)
    control.write_bytes(spoilt)

    done = sandbox.run(*command)

    assert done.returncode == code
    if profile == "demo":
        assert done.stderr.startswith("tessera: PostgreSQL did not start: ")
        assert len(done.stderr.splitlines()) == 1
        assert control.read_bytes() == spoilt
        control.write_bytes(good)
