"""Import of a file of purchases with all effects, against the bare rows by COPY and INSERT.

Both write 50,000 purchases of 10,000 enrolled members into the same table, with its constraints,
in one transaction; the files differ in their ids only. The bare way reads rows that are typed and
checked already and knows no days, points, growth, tiers or events.
"""

import random
import statistics
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import connection, transaction

from bench.harness import BENCH, Result, interleaved, median_ratio, seconds
from core import ids
from core.actors import SYSTEM
from members.activity.imports.run import ImportOptions, import_purchases
from members.activity.models import Purchase
from members.earning.rule_operations import activate_rule, create_rule
from members.profiles.operations import enrol_many
from members.tiers.operations import create_scheme, publish_scheme
from members.tiers.values import TierDraft
from tenants.brands.context import platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.brands.operations import create_brand

ROWS = 50_000
MEMBERS = 10_000
ROUNDS = 3
AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
OPTIONS = ImportOptions()

_BARE = """
CREATE TEMPORARY TABLE bare (
    external_id text, member text, occurred_at timestamptz, local_date date, amount_minor bigint,
    channel text, store_code text
) ON COMMIT DROP
"""
_BARE_INSERT = """
INSERT INTO members_purchase (external_id, member_id, occurred_at, local_date, amount_minor,
    currency, channel, store_code, associate, digest)
SELECT b.external_id, m.id, b.occurred_at, b.local_date, b.amount_minor, 'CNY', b.channel,
    b.store_code, '', ''
FROM bare b JOIN members_member m ON m.external_id = b.member
"""


@contextmanager
def fresh_brand() -> Iterator[Brand]:
    """Make a brand with one earning rule, three tiers and the members; remove it afterwards."""
    brand = make_brand()
    try:
        with tenant_context(brand):
            yield brand
    finally:
        drop_brand(brand)


def make_brand(slug: str = "") -> Brand:
    """Make the brand of `fresh_brand`."""
    brand = create_brand(
        slug=slug or f"bench-{ids.readable_code(8).lower()}",
        name="Bench",
        locale="en",
        timezone="Asia/Shanghai",
        currency="CNY",
        by=SYSTEM,
    )
    try:
        with tenant_context(brand):
            _set_up()
    except BaseException:
        drop_brand(brand)
        raise
    return brand


def drop_brand(brand: Brand) -> None:
    """Remove a brand with its schema."""
    with platform_context(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA "{brand.schema_name}" CASCADE')
        brand.delete()


def _set_up() -> None:
    rule = create_rule(
        name="One point per yuan", effect="per_unit", points=1, unit_minor=100, by=SYSTEM, at=AT
    )
    activate_rule(rule_id=rule.pk, by=SYSTEM, at=AT)
    scheme = create_scheme(
        metric="growth",
        window="rolling",
        window_months=12,
        tiers=[
            TierDraft(code="silver", name={"en": "Silver"}, entry_threshold=0, keep_threshold=0),
            TierDraft(code="gold", name={"en": "Gold"}, entry_threshold=1_000, keep_threshold=800),
            TierDraft(
                code="black", name={"en": "Black"}, entry_threshold=5_000, keep_threshold=4_000
            ),
        ],
        by=SYSTEM,
        at=AT,
    )
    publish_scheme(scheme=scheme, starts_on=AT.date(), by=SYSTEM, at=AT)
    since = AT - timedelta(days=800)
    with transaction.atomic():
        enrol_many(members=[(f"M-{n}", since) for n in range(MEMBERS)], by=SYSTEM, at=AT)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE members_member")


def purchases(prefix: str) -> Iterable[tuple[str, str, datetime, int, str, str]]:
    """Yield rows of a year in no order of members, as a till system would send them."""
    chance = random.Random(prefix)
    for number in range(ROWS):
        moment = AT - timedelta(minutes=chance.randint(1, 525_600))
        yield (
            f"{prefix}-{number}",
            f"M-{chance.randrange(MEMBERS)}",
            moment,
            chance.randint(0, 500_00),
            chance.choice(["web", "store"]),
            f"SH-{chance.randrange(40):02}",
        )


def bare(prefix: str) -> float:
    """Return the seconds of COPY and INSERT … SELECT."""
    text = "".join(
        f"{key}\t{member}\t{moment}\t{moment.date()}\t{amount}\t{channel}\t{store}\n"
        for key, member, moment, amount, channel, store in purchases(prefix)
    )

    def run() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_BARE)
            with cursor.copy("COPY bare FROM STDIN") as copy:
                copy.write(text)
            cursor.execute("ANALYZE bare")
            cursor.execute(_BARE_INSERT)

    return seconds(run)


def whole(prefix: str, folder: Path) -> float:
    """Return the seconds of an import with all effects."""
    path = folder / f"{prefix}.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("external_id,member,occurred_at,amount,channel,store\n")
        file.writelines(
            f"{key},{member},{moment.isoformat()},{amount / 100:.2f},{channel},{store}\n"
            for key, member, moment, amount, channel, store in purchases(prefix)
        )
    return seconds(lambda: _import(path, added=ROWS))


def _import(path: Path, *, added: int) -> None:
    result = import_purchases(
        purchases=path,
        options=OPTIONS,
        tell=lambda _file, _problem: None,
        progress=lambda *_steps: None,
        by=SYSTEM,
        at=AT,
    )
    assert (result.added, result.bad) == (added, 0)


@BENCH.register("members", "purchase file import, all effects")
def measure() -> Iterable[Result]:
    """Yield the rate of the import against the bare rows, and of a file sent again."""
    with fresh_brand(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole("warm", folder)
        bare("warm-bare")
        rounds = iter(range(10**6))
        figures = interleaved(
            {
                "bare": lambda: bare(f"B{next(rounds)}"),
                "import": lambda: whole(f"I{next(rounds)}", folder),
                "again": lambda: seconds(lambda: _import(folder / "warm.csv", added=0)),
            },
            rounds=ROUNDS,
        )
        assert Purchase.objects.count() == ROWS * (2 + 2 * ROUNDS)
    rate = ROWS / statistics.median(figures["import"])
    yield Result(
        "members",
        "purchase file import, all effects, against COPY + INSERT … SELECT of the bare rows",
        median_ratio(figures, "bare", "import"),
        "of its rate",
        0.15,
        0.3,
        "higher",
        ROUNDS,
        f"{rate:,.0f} rows/s; {ROWS:,} rows of {MEMBERS:,} members",
    )
    yield Result(
        "members",
        "the same file again, against the first time",
        median_ratio(figures, "again", "import"),
        "of its time",
        None,
        None,
        "lower",
        ROUNDS,
    )
