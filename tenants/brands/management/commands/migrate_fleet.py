"""`manage.py migrate_fleet`: bring every brand to the present code."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tenants.brands.fleet import CanaryFailedError, migrate_fleet, missing_migrations
from tenants.brands.models import Brand
from tenants.brands.queries import get_brand, list_brands


class Command(BaseCommand):
    """Migrates `public`, the schema template, and all brands; run it again to resume."""

    help = "Migrate the shared schema, the template and all brands' schemas."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("brands", nargs="*", metavar="BRAND", help="only these (slugs)")
        parser.add_argument(
            "--canary", action="append", default=[], metavar="BRAND", help="goes first (slug)"
        )
        parser.add_argument(
            "--check", action="store_true", help="change nothing; status 1 when a brand is behind"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["check"]:
            self._check(_chosen(options["brands"], []))
            return
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("Migrating brands", total=None)

            def show(_schema: str, done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            try:
                report = migrate_fleet(
                    choose=lambda: _chosen(options["brands"], options["canary"]),
                    canaries=max(len(options["canary"]), 1),
                    progress=show,
                )
            except CanaryFailedError as error:
                raise CommandError(f"canary {error}; no other brand was touched") from error
        self.stdout.write(
            f"{len(report.migrated)} brands migrated, {len(report.current)} were current, "
            f"{len(report.failed)} failed, {report.seconds:.1f} s"
        )
        for schema, problem in report.failed.items():
            self.stderr.write(f"{schema}: {problem}")
        if report.failed:
            raise CommandError("some brands are behind; run it again when the cause is gone")

    def _check(self, brands: list[Brand]) -> None:
        missing = missing_migrations([brand.schema_name for brand in brands])
        behind = [brand for brand in brands if missing[brand.schema_name]]
        for brand in behind:
            names = ", ".join(f"{app}.{name}" for app, name in sorted(missing[brand.schema_name]))
            self.stdout.write(f"{brand.slug}: {names}")
        if behind:
            raise CommandError(f"{len(behind)} of {len(brands)} brands are behind")
        self.stdout.write(f"all {len(brands)} brands are current")


def _chosen(slugs: list[str], canaries: list[str]) -> list[Brand]:
    first = [get_brand(slug=slug) for slug in canaries]
    keys = {brand.pk for brand in first}
    rest = [get_brand(slug=slug) for slug in slugs] or list_brands(active_only=False)
    return [*first, *(brand for brand in rest if brand.pk not in keys)]
