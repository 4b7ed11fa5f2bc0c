"""Calls to addresses that strangers typed: no private networks, no redirects, small answers.

The address is checked where it is resolved and connected to, in one step, so that a name can not
change its meaning in between.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.exceptions import HTTPError

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
# For the whole answer, however slowly it drips.
TOTAL_SECONDS = 15.0
MAX_ANSWER_BYTES = 65_536
_TOO_LONG = "the answer took too long"
# The authorities whose certificates are good; None for those that `requests` brings along.
CA_BUNDLE: str | None = None
_USER_AGENT = "Tessera/1"


class RefusedAddressError(Exception):
    """The address is one that we never call. No ValueError: `requests` would disguise it."""


class CallFailedError(Exception):
    """No proper answer came: unreachable, too slow, too long, or not HTTP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side answered; `body` is empty where nobody asked for it."""

    status: int
    retry_after: str
    body: bytes = b""


def check_url(url: str) -> None:
    """Check what can be known of an address without resolving its name.

    :raises RefusedAddressError: for another scheme than https (http only on loopback, where that
        is allowed), a user name or password, no host, or an address that is not public.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedAddressError("not a web address") from None
    if len(url) > 500 or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise RefusedAddressError("not a web address")
    if "\\" in url or parts.username is not None or parts.password is not None or port == 0:
        raise RefusedAddressError("not a plain web address")
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise RefusedAddressError("no host")
    loopback = _is_allowed_loopback(host)
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise RefusedAddressError("only https is called")
    if loopback:
        return
    address = _literal(host)
    if address is not None:
        check_address(address)
    elif "." not in host or host.rpartition(".")[2] in {"localhost", "local", "internal"}:
        raise RefusedAddressError("not a public name")
    elif host.rpartition(".")[2].isdigit() or host.lower().startswith("0x"):
        # 127.1 or 0x7f.1: resolvers read such names as addresses.
        raise RefusedAddressError("not a public name")


def check_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Check that an address is a public one of the internet.

    :raises RefusedAddressError: if it is private, reserved, multicast, or hides another address.
    """
    inner = _hidden(address)
    if inner is not None:
        check_address(inner)
    is_site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    if not address.is_global or address.is_reserved or is_site_local or address.is_multicast:
        raise RefusedAddressError("not a public address")


def post(url: str, *, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Send a body and return the answer's status; its content is read up to a cap, then dropped.

    :raises RefusedAddressError, CallFailedError: as `send`.
    """
    return replace(send("POST", url, body=body, headers=headers), body=b"")


def send(method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str]) -> Reply:
    """Make a call and return the whole answer, of at most `MAX_ANSWER_BYTES`.

    Never call it inside a transaction.

    :raises RefusedAddressError: if the address, or what its name resolves to, is refused.
    :raises CallFailedError: if no proper answer came in time.
    """
    check_url(url)
    deadline = time.monotonic() + TOTAL_SECONDS
    with requests.Session() as session:
        session.trust_env = False  # no proxy and no .netrc from the surroundings
        session.mount("https://", _Adapter(is_https_proto=True, allow_loopback=_loopback()))
        session.mount("http://", _Adapter(is_https_proto=False, allow_loopback=_loopback()))
        try:
            with session.request(
                method,
                url,
                data=body,
                headers={**headers, "User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
                verify=CA_BUNDLE or True,
            ) as response:
                content = _read(response, deadline)
                return Reply(response.status_code, response.headers.get("Retry-After", ""), content)
        except InvalidIPAddress:
            raise RefusedAddressError("the name leads to an address that is not public") from None
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            late = time.monotonic() >= deadline
            raise CallFailedError(_TOO_LONG if late else _describe(error)) from error


class _Watch:
    """Cuts a connection when the time of its call is over, whatever is waited for.

    Time-outs of sockets begin anew with every byte: handshake, headers or body that drip would
    hold a thread for hours.
    """

    def __init__(self, connection: socket.socket) -> None:
        # A handle of our own: TLS takes the first one over, and a connection that is to be
        # closed after its answer lets go of it before the body is read.
        self._handle = connection.dup()
        self._timer = threading.Timer(TOTAL_SECONDS, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        self._timer.cancel()
        self._handle.close()

    def _cut(self) -> None:
        with suppress(OSError):
            self._handle.shutdown(socket.SHUT_RDWR)


class _Watched:
    """A connection of urllib3 that is watched from its first byte on."""

    watches: list[_Watch]

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        self.watches.append(_Watch(made))
        return made


class _Adapter(IPFilterAdapter):  # type: ignore[misc]
    """Adds our own check of the resolved address, and a deadline, to the library's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._watches: list[_Watch] = []

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        host, pool = super().build_connection_pool_key_attributes(*args, **kwargs)
        address = ipaddress.ip_address(str(host["host"]).strip("[]"))
        if not (address.is_loopback and _loopback()):
            check_address(address)
        return host, pool

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        # One session makes one call, so this pool is nobody else's.
        facts = {"watches": self._watches}
        pool.ConnectionCls = type("WatchedConnection", (_Watched, pool.ConnectionCls), facts)
        return pool

    def close(self) -> None:
        for watch in self._watches:
            watch.end()
        super().close()

    def proxy_manager_for(self, *_args: Any, **_kwargs: Any) -> HTTPAdapter:
        raise RefusedAddressError("no proxies")


def _read(response: requests.Response, deadline: float) -> bytes:
    content = bytearray()
    for part in response.iter_content(4096):
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            raise CallFailedError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > deadline:
            raise CallFailedError(_TOO_LONG)
    return bytes(content)


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _hidden(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address inside an IPv6 one: mapped, compatible, 6to4, NAT64, Teredo."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    packed = address.packed
    if packed[:12] == b"\0" * 12 or packed[:12] == b"\0d\xff\x9b" + b"\0" * 8:
        return ipaddress.IPv4Address(packed[12:])
    return None


def _loopback() -> bool:
    return bool(settings.WEBHOOKS_ALLOW_LOOPBACK)


def _is_allowed_loopback(host: str) -> bool:
    if not _loopback():
        return False
    address = _literal(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _describe(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate is not valid"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
