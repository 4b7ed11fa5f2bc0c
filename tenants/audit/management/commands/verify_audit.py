"""`manage.py verify_audit BRAND`: check that nobody has touched a brand's audit."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants.audit.operations import verify_chain
from tenants.brands.context import tenant_context
from tenants.brands.queries import get_brand


class Command(BaseCommand):
    """Recomputes the hash chain; status 1 when something was changed, removed or cut off."""

    help = "Verify the hash chain of a brand's audit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("brand", metavar="BRAND")
        parser.add_argument(
            "--expect",
            metavar="DIGEST",
            help="a head that was noted elsewhere: it must be a link of the chain",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        with tenant_context(get_brand(slug=options["brand"])):
            report = verify_chain(expected=options["expect"])
        for problem in report.problems:
            self.stderr.write(problem)
        if not report.is_intact:
            raise CommandError(f"the audit of {options['brand']} does not verify")
        self.stdout.write(
            f"{report.sealed} entries sealed and intact, {report.unsealed} not sealed yet, "
            f"{report.anchors} anchors match; head {report.head}"
        )
