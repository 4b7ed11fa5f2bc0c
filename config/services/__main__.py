"""Command line of the embedded servers: python -m config.services --help."""

import argparse
import os
import shutil
import sys

from config.services.binaries import pg_binary
from config.services.client import VARIABLES, Client, keeper_is_alive, services
from config.services.errors import ServicesError
from config.services.places import PROFILES, Profile, data_root, profile_root, remove_relocated
from config.services.processes import run_guarded
from config.services.servers import SERVICE_NAMES
from config.services.state import read_state


def _start(options: argparse.Namespace) -> int:
    client = Client(profile=options.profile, environ=os.environ)
    missing = [name for name in options.only if not os.environ.get(VARIABLES[name])]
    if missing:
        state = client.attach(missing, pin=True)
        client.lease.release()
        for name, url in state.urls.items():
            _say(f"{name}={url}")
    return 0


def _stop(options: argparse.Namespace) -> int:
    if Client(profile=options.profile, environ=os.environ).stop(now=options.now):
        return 0
    _say(
        f"the {options.profile} servers are in use and stop with their last user; "
        "`stop --now` does not wait for it",
    )
    return 1


def _status(options: argparse.Namespace) -> int:
    running = 0
    for profile in PROFILES:
        root = profile_root(profile, os.environ)
        state = read_state(root)
        if state is None or not keeper_is_alive(root):
            _say(f"{profile}: stopped")
            continue
        running += 1
        as_whom = f" as {state.account}" if state.account else ""
        _say(f"{profile}: running{as_whom}, keeper {state.keeper}, data in {state.home}")
        for name, pid in sorted(state.pids.items()):
            url = state.urls.get({str(k): v for k, v in VARIABLES.items()}[name], "")
            _say(f"  {name:9} process {pid:7}  {state.seconds.get(name, 0):6.2f} s to start  {url}")
    return 0 if running else 3


def _psql(options: argparse.Namespace) -> int:
    with services(profile=options.profile, only=("database",)) as servers:
        url = (options.admin and servers.database_admin_url) or servers.database_url
        command = [pg_binary("psql"), url, *_after_dashes(options.command)]
        return run_guarded(command, env=os.environ)


def _exec(options: argparse.Namespace) -> int:
    command = _after_dashes(options.command)
    if not command:
        raise ServicesError("exec: which command? python -m config.services exec -- COMMAND …")
    with services(profile=options.profile, only=tuple(options.only)) as servers:
        code = run_guarded(command, env=os.environ | servers.variables())
    return code if code >= 0 else 128 - code


def _clean(options: argparse.Namespace) -> int:
    for profile in PROFILES:
        root = profile_root(profile, os.environ)
        if not Client(profile=profile, environ=os.environ).stop(now=options.now):
            raise ServicesError(f"the {profile} servers are in use: end that first, or clean --now")
        remove_relocated(root)
    shutil.rmtree(data_root(os.environ) / "services", ignore_errors=True)
    return 0


def _after_dashes(words: list[str]) -> list[str]:
    return words[1:] if words[:1] == ["--"] else words


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _profile(text: str) -> Profile:
    for name in PROFILES:
        if name == text:
            return name
    raise argparse.ArgumentTypeError(f"one of {', '.join(PROFILES)}")


def _names(text: str) -> list[str]:
    names = [name for name in SERVICE_NAMES if name in text.split(",")]
    if len(names) != len(text.split(",")):
        raise argparse.ArgumentTypeError(f"some of {','.join(SERVICE_NAMES)}")
    return list(names)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.services", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="start|stop|status|psql|exec|clean")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--profile", type=_profile, default="demo", help=", ".join(PROFILES))
    some = argparse.ArgumentParser(add_help=False)
    some.add_argument("--only", type=_names, default=list(SERVICE_NAMES), metavar="NAME,…",
                      help="some of " + ",".join(SERVICE_NAMES))  # fmt: skip
    start = commands.add_parser("start", parents=[shared, some], help="start; stay until stop")
    start.set_defaults(act=_start)
    stop = commands.add_parser("stop", parents=[shared], help="stop once nobody uses them")
    stop.add_argument("--now", action="store_true", help="even when in use")
    stop.set_defaults(act=_stop)
    status = commands.add_parser("status", help="what runs; status 3 when nothing does")
    status.set_defaults(act=_status)
    psql = commands.add_parser("psql", parents=[shared], help="open psql")
    psql.add_argument("--admin", action="store_true", help="as superuser")
    psql.add_argument("command", nargs=argparse.REMAINDER)
    psql.set_defaults(act=_psql)
    execute = commands.add_parser("exec", parents=[shared, some], help="run a command with them")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    execute.set_defaults(act=_exec)
    clean = commands.add_parser("clean", help="remove all their data")
    clean.add_argument("--now", action="store_true", help="even when in use")
    clean.set_defaults(act=_clean)
    return parser


def main() -> int:
    """Run one command; a failure is one line on standard error and status 1."""
    options = _parser().parse_args()
    try:
        code: int = options.act(options)
    except ServicesError as error:
        sys.stderr.write(f"tessera: {error}\n")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
