"""Real purchases come in to the cent; the expected values are computed from the file alone."""

import gzip
import os
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.models import Sum

from members.activity.invariants import CHECKS
from members.activity.models import MemberDay, Purchase
from members.profiles.models import Member
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand

SAMPLE = Path(__file__).parents[4] / "config/demo/data/cdnow_sample.txt.gz"
WHOLE = os.environ.get("TESSERA_CDNOW", "")
OPTIONS = (
    "--map=member=customer_id",
    "--map=occurred_at=date",
    "--map=amount=dollar_value",
    "--create-members",
)


def facts(path: Path) -> list[tuple[str, date, int]]:
    """Read the file again, in another way than the importer."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("ascii")
    rows = [line.split() for line in text.splitlines()[1:] if line.strip()]
    return [
        (
            row[0],
            date(int(row[1][:4]), int(row[1][4:6]), int(row[1][6:])),
            int(Decimal(row[3]) * 100),
        )
        for row in rows
    ]


def assert_equal_to(path: Path, brand: Brand) -> list[tuple[str, date, int]]:
    expected = facts(path)
    with tenant_context(brand):
        stored = Purchase.objects.order_by("pk").values_list(
            "member__external_id", "local_date", "amount_minor"
        )
        assert Counter(stored) == Counter(expected)
        by_day: dict[tuple[str, date], list[int]] = defaultdict(list)
        for member, day, amount in expected:
            by_day[member, day].append(amount)
        days = MemberDay.objects.values_list(
            "member__external_id", "on_date", "orders", "spend_minor"
        )
        assert {(row[0], row[1]): row[2:] for row in days} == {
            key: (len(amounts), sum(amounts)) for key, amounts in by_day.items()
        }
        first: dict[str, date] = {}
        for member, day, _amount in expected:
            first[member] = min(day, first.get(member, day))
        assert Member.objects.count() == len(first)
        assert [text for check in CHECKS.values() for text in check()] == []
    return expected


def test_the_sample_to_the_cent_and_again(
    other_brand: Brand, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("import_purchases", other_brand.slug, str(SAMPLE), *OPTIONS)
    assert capsys.readouterr().out == (
        "6,787 purchases added (240,267.14 USD), 0 unchanged, 0 bad; 2,357 members enrolled.\n"
        "The file has no external_id: ids were made of member, date and running number.\n"
        "Columns not used: number_of_cds.\n"
    )
    rows = assert_equal_to(SAMPLE, other_brand)
    assert (len(rows), sum(row[2] for row in rows)) == (6_787, 24_026_714)
    call_command("import_purchases", other_brand.slug, str(SAMPLE), *OPTIONS)
    assert capsys.readouterr().out.startswith(
        "0 purchases added (0.00 USD), 6,787 unchanged, 0 bad; 0 members enrolled."
    )
    assert_equal_to(SAMPLE, other_brand)


@pytest.mark.slow
@pytest.mark.skipif(not WHOLE, reason="TESSERA_CDNOW names no file")
def test_the_whole_file(other_brand: Brand) -> None:
    call_command("import_purchases", other_brand.slug, WHOLE, *OPTIONS)
    rows = assert_equal_to(Path(WHOLE), other_brand)
    with tenant_context(other_brand):
        assert len(rows) == Purchase.objects.count() == 69_659
        assert Member.objects.count() == 23_570
        assert Purchase.objects.aggregate(total=Sum("amount_minor"))["total"] == 250_031_563
        assert Purchase.objects.filter(amount_minor=0).count() == 80
