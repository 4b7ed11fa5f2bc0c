"""`manage.py verify_draw BRAND DRAW`: do every draw again and say whether it was as it should be."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from benefits.mall.draws.queries import get_draw, verify_draw
from core.errors import NotFoundError
from tenants.brands.context import tenant_context
from tenants.brands.queries import get_brand


class Command(BaseCommand):
    help = "Check every draw of a lucky draw from its rows; fails when something does not add up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("brand", help="The brand's short name.")
        parser.add_argument("draw", help="The draw's code.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            brand = get_brand(slug=options["brand"])
            with tenant_context(brand):
                verdict = verify_draw(draw=get_draw(code=options["draw"]))
        except NotFoundError as error:
            raise CommandError(error.detail) from error
        for problem in verdict.problems:
            self.stderr.write(problem)
        self.stdout.write(
            f"{verdict.checked} done again, {verdict.sealed} wait for their seed,"
            f" {verdict.erased} of erased members; {len(verdict.problems)} problems"
        )
        if not verdict.is_good:
            raise CommandError("Something does not add up.")
