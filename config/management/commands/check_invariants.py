"""`manage.py check_invariants BRAND`: does everything still add up?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.invariants import check_brand
from core.errors import NotFoundError
from tenants.brands.context import tenant_context
from tenants.brands.queries import get_brand


class Command(BaseCommand):
    help = "Run every invariant on a brand; exit 1 when one does not hold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("brand", help="slug")

    def handle(self, *, brand: str, **options: Any) -> None:
        try:
            found = get_brand(slug=brand)
        except NotFoundError as error:
            raise CommandError(error.detail) from None
        broken = 0
        with tenant_context(found):
            for name, wrong in check_brand():
                self.stdout.write(f"{'ok    ' if not wrong else 'BROKEN'} {name}")
                for line in wrong[:20]:
                    self.stdout.write(f"         {line}")
                broken += bool(wrong)
        if broken:
            raise CommandError(f"{broken} invariants do not hold.", returncode=1)
