"""Make .venv and install what the locks name: python3 tools/bootstrap.py base [dev].

Runs before anything is installed and perhaps on an old Python 3 (to say so), hence the standard
library only and no recent syntax. Does nothing when the same locks were installed before.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
SETS = ("base", "dev")


def stop(message):
    sys.stderr.write(f"tessera: {message}\n")
    sys.exit(2)


def succeeds(*command, quiet=False):
    silent = subprocess.DEVNULL if quiet else None
    return subprocess.call([str(word) for word in command], cwd=ROOT, stderr=silent) == 0


def find_python():
    """Return this Python, or a newer one on PATH when this one is too old."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for minor in range(19, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    version = ".".join(str(part) for part in sys.version_info[:3])
    return stop(
        f"Python 3.11 or newer is needed and {sys.executable} is {version}. "
        "Name another: make demo PYTHON=/path/to/python3"
    )


def make_venv():
    """Make .venv unless a good one is there; return the command that installs into it."""
    own_pip = [VENV_PYTHON, "-m", "pip"]
    works = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    if VENV_PYTHON.exists() and succeeds(VENV_PYTHON, "-c", works, quiet=True):
        return own_pip
    python = find_python()

    def has(module):
        return succeeds(python, "-c", f"import {module}", quiet=True)

    shutil.rmtree(VENV, ignore_errors=True)
    if has("venv") and has("ensurepip.__main__"):
        if succeeds(python, "-m", "venv", VENV):
            return own_pip
    elif has("venv") and has("pip.__main__"):
        # Debian packs ensurepip apart; a pip outside can install into the environment.
        if succeeds(python, "-m", "venv", "--without-pip", VENV):
            return [python, "-m", "pip", "--python", VENV_PYTHON]
    elif has("virtualenv") and succeeds(python, "-m", "virtualenv", "--quiet", VENV):
        return own_pip
    shutil.rmtree(VENV, ignore_errors=True)
    return stop(
        f"{python} can not make a virtual environment: a part of it is a package of its own here. "
        "On Debian and Ubuntu: apt-get install python3-venv"
    )


def lock_of(name):
    return ROOT / "requirements" / f"{name}.txt"


def digest(names):
    """Return what must be equal for an installation to count as done."""
    content = hashlib.sha256(f"{VENV} {sys.version}".encode())
    for name in names:
        content.update(lock_of(name).read_bytes())
    return content.hexdigest()


def is_installed(names):
    """Tell whether these sets, or all of them, were installed from the present locks."""
    if not VENV_PYTHON.exists():
        return False
    for wanted in (names, SETS):
        stamp = VENV / f"tessera-{wanted[-1]}.stamp"
        if stamp.exists() and stamp.read_text() == digest(wanted):
            return True
    return False


def main(names):
    if is_installed(names):
        return
    begun = time.time()
    sys.stdout.write("Installing Python packages into .venv (only when the locks change)\n")
    sys.stdout.flush()
    command = [*make_venv(), "install", "--quiet", "--require-hashes", "--no-input"]
    # Wheels only: a machine without a compiler would fail late and at length.
    command += ["--disable-pip-version-check", "--only-binary=:all:"]
    if os.geteuid() == 0:
        command.append("--root-user-action=ignore")
    for name in names:
        command += ["-r", lock_of(name)]
    pip = subprocess.run(
        [str(word) for word in command],
        check=False,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if pip.returncode:
        sys.stderr.write("".join(pip.stdout.decode(errors="replace").splitlines(True)[-20:]))
        stop("the packages could not be installed; the lines above say why")
    (VENV / f"tessera-{names[-1]}.stamp").write_text(digest(names))
    sys.stdout.write(f"Packages installed: {time.time() - begun:.0f} s\n")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
