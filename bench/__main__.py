"""`python -m bench [SECTION]`: run the benchmarks on the servers named in the environment."""

import importlib
import os
import sys
from pathlib import Path

import django
from django.core.management import call_command


def main() -> int:
    """Load every file of this folder that measures something, then run what was asked for."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Jobs over a million rows take longer than a web request may.
    os.environ.setdefault("PG_STATEMENT_TIMEOUT", "30min")
    os.environ.setdefault("PG_IDLE_TIMEOUT", "10min")
    django.setup()
    call_command("migrate_fleet", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in {"__init__", "__main__", "harness"}:
            importlib.import_module(f"bench.{path.stem}")
    harness = importlib.import_module("bench.harness")
    section = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else None
    if section is not None and section not in harness.SECTIONS:
        sys.stderr.write(f"bench: no section {section!r}; one of {', '.join(harness.SECTIONS)}\n")
        return 2
    status: int = harness.run(section)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
