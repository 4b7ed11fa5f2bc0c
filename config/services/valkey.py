"""The two embedded Valkey instances: broker and cache, apart so that neither evicts the other."""

import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from config.services.servers import LOOPBACK, Server


class Valkey(Server):
    """A Valkey instance: what broker and cache share."""

    process_names = ("valkey-server",)
    gentle = signal.SIGTERM
    default_port: int
    settings: Mapping[str, str]

    def prepare(self) -> None:
        sockets = self.listening.sockets
        settings = {
            "dir": str(self.folder),
            "daemonize": "no",
            "databases": "2",
            "save": "",
            "port": "0"
            if sockets
            else str(self.listening.choose_port(self.name, self.default_port)),
            **self.settings,
        }
        if sockets:
            settings |= {"unixsocket": str(self._socket), "unixsocketperm": "700"}
            self._socket.unlink(missing_ok=True)
        else:
            settings |= {"bind": LOOPBACK, "requirepass": self.password}
        text = "".join(f'{key} "{_escaped(setting)}"\n' for key, setting in settings.items())
        self.write_private(self.folder / "valkey.conf", text)

    def command(self) -> Sequence[str]:
        return [str(self.place.programs.valkey), str(self.folder / "valkey.conf")]

    def is_ready(self) -> bool:
        try:
            with self._connect() as connection:
                if not self.listening.sockets:
                    connection.sendall(b"AUTH %s\r\n" % self.password.encode())
                    connection.recv(64)
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def finish(self) -> None:
        """Nothing: an empty server is a complete one."""

    @property
    def _socket(self) -> Path:
        return (self.listening.sockets or self.folder) / f"{self.name}.sock"

    def _connect(self) -> socket.socket:
        if self.listening.sockets:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(1.0)
            try:
                connection.connect(str(self._socket))
            except OSError:
                connection.close()
                raise
            return connection
        return socket.create_connection((LOOPBACK, self.listening.ports[self.name]), timeout=1.0)

    def _tcp_url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.listening.ports[self.name]}/0"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


class Broker(Valkey):
    """Carries Celery's messages: kept on disk, and never drops one to make room."""

    name = "broker"
    label = "Valkey (broker)"
    default_port = 6379
    settings = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
    }

    def urls(self) -> dict[str, str]:
        if self.listening.sockets:
            return {"BROKER_URL": f"redis+socket://{quote(str(self._socket))}"}
        return {"BROKER_URL": self._tcp_url()}


class Cache(Valkey):
    """Holds what can be computed again: in memory only, the least used goes first."""

    name = "cache"
    label = "Valkey (cache)"
    default_port = 6380
    settings = {"appendonly": "no", "maxmemory": "128mb", "maxmemory-policy": "allkeys-lru"}

    def urls(self) -> dict[str, str]:
        if self.listening.sockets:
            return {"CACHE_URL": f"unix://{quote(str(self._socket))}?db=0"}
        return {"CACHE_URL": self._tcp_url()}
