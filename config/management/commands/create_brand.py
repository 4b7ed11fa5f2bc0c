"""`manage.py create_brand SLUG`: set up a brand, with its first owner if an address is given."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.platform.links import brand_url
from config.platform.operations import BrandFacts, open_brand
from core import clock
from core.actors import SYSTEM
from core.errors import DomainError


class Command(BaseCommand):
    """Makes schema, domain and owner; all or nothing."""

    help = "Set up a brand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="first part of the host name")
        parser.add_argument("--name", help="what people read (default: the slug)")
        parser.add_argument("--locale", default="en", help="en, zh-hans or zh-hant")
        parser.add_argument("--timezone", default="UTC", help="such as Asia/Shanghai")
        parser.add_argument("--currency", default="USD", help="ISO 4217, such as CNY")
        parser.add_argument("--owner", default="", metavar="EMAIL", help="first owner")

    def handle(self, *_args: Any, **options: Any) -> None:
        facts = BrandFacts(
            slug=options["slug"],
            name=options["name"] or options["slug"],
            locale=options["locale"],
            timezone=options["timezone"],
            currency=options["currency"],
            email=options["owner"],
        )
        try:
            brand = open_brand(facts=facts, by=SYSTEM, at=clock.now())
        except DomainError as refusal:
            raise CommandError(f"{options['slug']}: {refusal.detail}") from None
        self.stdout.write(brand_url(brand))
