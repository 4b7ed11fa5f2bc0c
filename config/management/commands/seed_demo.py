"""`manage.py seed_demo`: make the demo brands, once."""

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override
from kombu.exceptions import KombuError
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from config.demo.brands import BRANDS
from config.demo.files import BrandFacts, facts_of, write_demo_file
from config.demo.specs import BrandSpec
from config.demo.story import tell
from core import clock
from core.actors import SYSTEM
from tenants.accounts.operations import create_operator
from tenants.brands.context import platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.brands.operations import create_brand, ensure_template

OPERATOR = "operator@tessera.example.com"


class Command(BaseCommand):
    help = "Make the demo brands with a year of history; does nothing when they are there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", default="", help="one brand, in this process")

    def handle(self, *, only: str, **options: Any) -> None:
        if settings.MODE == "production":
            raise CommandError("The demo is not for production: set TESSERA_MODE=demo.")
        if only:
            self._one(next(spec for spec in BRANDS if spec.slug == only))
            return
        missing = [spec for spec in BRANDS if not _is_told(spec)]
        if missing:
            ensure_template()
            _in_parallel(missing)
            _drop_pokes()
        with platform_context():
            create_operator(email=OPERATOR, name="Olga Operator")
        facts = [json.loads(_facts_path(spec).read_text()) for spec in BRANDS]
        write_demo_file([BrandFacts(**fact) for fact in facts], operator=OPERATOR)

    def _one(self, spec: BrandSpec) -> None:
        if _is_told(spec):
            return
        _facts_path(spec).parent.mkdir(parents=True, exist_ok=True)
        _refuse_half_told(spec)
        with override("en"):
            brand = create_brand(
                slug=spec.slug,
                name=spec.name,
                locale=spec.locale,
                timezone=spec.timezone,
                currency=spec.currency,
                brand_colour=spec.colour,
                logo=spec.logo,
                by=SYSTEM,
            )
            with tenant_context(brand):
                made = tell(spec, now=clock.now(), report=_print_progress)
                facts = facts_of(spec, made)
        _facts_path(spec).write_text(json.dumps(facts.as_json(), ensure_ascii=False))
        _print_progress(1, 1)


def _facts_path(spec: BrandSpec) -> Path:
    return Path(settings.DATA_DIR) / "demo" / f"{spec.slug}.json"


def _is_told(spec: BrandSpec) -> bool:
    return _facts_path(spec).exists() and Brand.objects.filter(slug=spec.slug).exists()


def _refuse_half_told(spec: BrandSpec) -> None:
    """Stop where a story was broken off: half a year would not add up."""
    if Brand.objects.filter(slug=spec.slug).exists():
        raise CommandError(
            f"The demo brand {spec.slug} was broken off half way. Run `make clean` and start again."
        )


def _drop_pokes() -> None:
    """Empty the queues: a poke for each event of a year, of which none waits any more.

    What does wait is in the database, and the sweeper finds it; the workers would otherwise go
    through the pokes for minutes before anything new.
    """
    try:
        current_app.control.purge()
    except (KombuError, RedisError, OSError) as error:
        structlog.get_logger(__name__).warning("broker_unreachable", error=str(error))


def _print_progress(done: int, total: int) -> None:
    sys.stdout.write(f"{done} {total}\n")
    sys.stdout.flush()


def _in_parallel(specs: list[BrandSpec]) -> None:
    """Tell each brand in a process of its own, with one progress bar for each."""
    console = Console(file=sys.stdout)
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        running: list[tuple[subprocess.Popen[str], TaskID, BrandSpec]] = []
        waiting = list(specs)
        while waiting or running:
            while waiting and len(running) < max(os.cpu_count() or 1, 2):
                spec = waiting.pop(0)
                task = progress.add_task(spec.name, total=1)
                running.append((_start(spec), task, spec))
            _read_one(progress, running)


def _start(spec: BrandSpec) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "seed_demo", "--only", spec.slug],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PG_STATEMENT_TIMEOUT": "120s"},
    )


def _read_one(
    progress: Progress, running: list[tuple[subprocess.Popen[str], TaskID, BrandSpec]]
) -> None:
    for entry in list(running):
        process, task, spec = entry
        line = process.stdout.readline() if process.stdout else ""
        if line:
            done, _space, total = line.strip().partition(" ")
            if done.isdigit() and total.isdigit():
                progress.update(task, completed=int(done), total=int(total))
            continue
        if process.wait():
            for other, _task, _spec in running:
                other.terminate()
            raise CommandError(f"The demo brand {spec.name} could not be made; see above.")
        running.remove(entry)
