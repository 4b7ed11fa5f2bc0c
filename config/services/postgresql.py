"""The embedded PostgreSQL."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from config.services.errors import ServicesError
from config.services.places import make_private_folder
from config.services.servers import LOOPBACK, Server

ROLE = "tessera"


class PostgreSQL(Server):
    """The database. Its settings file is written by us at each start; ALTER SYSTEM still wins."""

    name = "database"
    label = "PostgreSQL"
    process_names = ("postgres", "initdb")
    gentle = signal.SIGINT  # "fast": rolls back what is open, writes a checkpoint
    start_limit = 120.0  # recovery after a crash replays what was written since the checkpoint

    def prepare(self) -> None:
        self._check_version()
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()
        if sys.platform == "linux":
            # No process works in the folder (start() saw to that), so the file is stale; its
            # process id may by now belong to a stranger, whom PostgreSQL would take for a rival.
            (self.folder / "postmaster.pid").unlink(missing_ok=True)
        settings = "".join(f"{key} = {_quoted(text)}\n" for key, text in self._settings().items())
        self.write_private(self.folder / "postgresql.conf", settings)
        # The folder of the sockets is closed to all but us; a port is not.
        self.write_private(
            self.folder / "pg_hba.conf",
            f"local all all trust\nhost all all {LOOPBACK}/32 scram-sha-256\n",
        )

    def command(self) -> Sequence[str]:
        return [str(self.place.programs.pg("postgres")), "-D", str(self.folder)]

    def is_ready(self) -> bool:
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def finish(self) -> None:
        """Make the application's role, no superuser, and its database, unless done before."""
        done = self.folder / "tessera.ready"
        if done.exists():
            return
        statements = (
            f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{self.password}'",
            f"GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO {ROLE}",
            f"CREATE DATABASE {ROLE} OWNER {ROLE}",
        )
        # One by one: a start cut short in between may have left the role.
        for statement in statements:
            result = subprocess.run(
                [self.place.programs.pg("psql"), "-Xqc", statement, self._url("postgres")],
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode and "already exists" not in result.stderr:
                raise ServicesError(f"{self.label}: {result.stderr.strip()}")
        self.write_private(done, "")

    def urls(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._url(ROLE),
            "DATABASE_ADMIN_URL": self._url("postgres"),
        }

    def _url(self, role: str) -> str:
        if self.listening.sockets is not None:
            return f"postgresql://{role}@/{role}?host={quote(str(self.listening.sockets))}"
        port = self.listening.ports[self.name]
        return f"postgresql://{role}:{self.password}@{LOOPBACK}:{port}/{role}"

    def _check_version(self) -> None:
        stored = self.folder / "PG_VERSION"
        if stored.exists() and stored.read_text().strip() != "18":
            raise ServicesError(
                f"{self.folder} was written by PostgreSQL {stored.read_text().strip()}, "
                "this is 18: move it away or run make clean"
            )

    def _initialise(self) -> None:
        """Make the cluster beside its place: one cut short must not be taken for a whole one."""
        unfinished = self.folder.with_name(f"{self.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        make_private_folder(unfinished, self.place.account)
        secret = self.folder / "password"
        self.write_private(secret, f"{self.password}\n")
        command = [
            str(self.place.programs.pg("initdb")), "-D", str(unfinished), "-U", "postgres",
            "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--auth=trust", "--no-instructions", f"--pwfile={secret}",
        ]  # fmt: skip
        if self.place.profile == "test":
            command.append("--no-sync")
        if self.spawn(command, folder=unfinished).wait():
            raise ServicesError(f"initdb failed: {self.last_words()}")
        shutil.rmtree(self.folder)
        unfinished.rename(self.folder)

    def _settings(self) -> Mapping[str, str]:
        sockets = self.listening.sockets
        settings = {
            "cluster_name": f"tessera-{self.place.profile}",
            "listen_addresses": "" if sockets else LOOPBACK,
            "unix_socket_directories": str(sockets) if sockets else "",
            "unix_socket_permissions": "0700",
            "port": "5432" if sockets else str(self.listening.choose_port(self.name, 5432)),
            # The benchmark of a hot item has 200 clients.
            "max_connections": "240" if self.place.profile == "bench" else "120",
            "max_locks_per_transaction": "256",  # a migration may touch every brand's tables
            "shared_buffers": "256MB" if self.place.profile == "bench" else "128MB",
            "effective_cache_size": "1GB",
            "work_mem": "16MB",
            # Sums over the days of a million members stay in memory; sorts do not need to.
            "hash_mem_multiplier": "6.0",
            "maintenance_work_mem": "128MB",
            "random_page_cost": "1.1",
            "jit": "off",  # costs more than it saves on short statements
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %d ",
            "log_lock_waits": "on",
            "deadlock_timeout": "1s",
            "log_checkpoints": "off",
            "client_connection_check_interval": "5s",  # a killed client's statement ends too
            "max_wal_size": "2GB",
        }
        if _shared_memory_is_small():
            settings["dynamic_shared_memory_type"] = "mmap"
        if self.place.profile == "test":
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        return settings


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _shared_memory_is_small() -> bool:
    """Containers often give /dev/shm 64 MB, too little for parallel queries."""
    try:
        disk = os.statvfs("/dev/shm")  # noqa: S108 - only looked at
    except OSError:
        return False
    return disk.f_frsize * disk.f_blocks < 256_000_000
