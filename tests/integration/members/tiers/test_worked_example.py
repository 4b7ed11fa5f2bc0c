"""The example of the documentation, played through the real operations and every night."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from config.env import BASE_DIR
from core.actors import SYSTEM
from members.earning.operations import record_purchase, record_refund
from members.profiles.models import Member
from members.tiers.invariants import CHECKS
from members.tiers.models import TierChange
from members.tiers.operations import create_plan, record_payment, set_override
from members.tiers.queries import get_standing
from members.tiers.values import TierDraft
from tenants.brands.models import Brand
from tenants.events.models import Event
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue, run_pending
from tests.integration.members.earning.world import rule
from tests.integration.members.tiers.world import ZONE, join, make_scheme, noon

PAGE = BASE_DIR / "docs" / "tiers-worked-example.md"
FIRST, LAST = date(2023, 9, 1), date(2025, 2, 28)


def tables() -> list[list[list[str]]]:
    """Return the rows of each table of the page, without their heads."""
    found: list[list[list[str]]] = []
    rows: list[list[str]] = []
    for line in [*PAGE.read_text().splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            found.append(rows)
            rows = []
    return found


def acts(rows: list[list[str]]) -> Iterator[tuple[date, str, str, str]]:
    for day, member, what, amount in rows[2:]:
        yield date.fromisoformat(day), member, what, amount


def play(member: Member, on: date, what: str, amount: str) -> None:
    at = noon(on)
    if what == "purchase":
        record_purchase(
            external_id=f"{member.pk}-{on}", member=member, occurred_at=at,
            amount_minor=int(amount) * 100, currency="CNY", by=SYSTEM, at=at,
        )  # fmt: skip
    elif what.startswith("refund of "):
        record_refund(
            purchase_external_id=f"{member.pk}-{what.removeprefix('refund of ')}",
            external_id="back", amount_minor=int(amount) * 100, occurred_at=at, by=SYSTEM, at=at,
        )  # fmt: skip
    elif what.startswith("at least "):
        tier, _through, until = what.removeprefix("at least ").split()
        set_override(
            member=member, tier=tier, mode="at_least", until=date.fromisoformat(until),
            reason="Worked example", by=SYSTEM, at=at,
        )  # fmt: skip
    else:
        plan = what.removeprefix("pays for ")
        record_payment(member=member, plan=plan, reference=f"{member.pk}", by=SYSTEM, at=at)


def night(on: date) -> None:
    at = datetime.combine(on, time(2, 30), tzinfo=ZONE)
    enqueue(kind="tiers.evaluate", dedupe_key=f"night-{on}", by=SYSTEM, at=at)
    run_pending(at=at)


def told_and_moved(names: dict[int, str]) -> list[tuple[str, ...]]:
    """Return all changes of tiers held and all notices, as table 4 writes them."""
    found: list[tuple[str, ...]] = []
    for change in TierChange.objects.select_related("from_tier", "to_tier"):
        if change.from_tier_id == change.to_tier_id:
            continue
        sign = "≥" if change.is_up else "<"
        by = change.cause
        if change.metric_value is not None:
            by = f"{change.metric_value} {sign} {change.threshold}"
        day = change.at.astimezone(ZONE).date().isoformat()
        what = f"{change.from_tier.code} → {change.to_tier.code}"
        found.append((day, names[change.member_id], what, by))
    for event in Event.objects.filter(type="tier.will_downgrade"):
        data = event.data
        found.append(
            (
                event.at.astimezone(ZONE).date().isoformat(),
                names[data["member_id"]],
                f"told: {data['tier']}",
                f"{data['missing']} by {data['lost_on']}",
            )
        )
    return sorted(found)


def test_the_worked_example_is_what_happens(brand: Brand) -> None:
    tiers, happens, stands, changes = tables()
    make_scheme(
        starts_on=FIRST,
        tiers=[
            TierDraft(
                code=code, name={"en": code}, entry_threshold=int(entry),
                keep_threshold=int(keep), grace_days=int(grace),
            )
            for code, entry, keep, grace in tiers[2:]
        ],
    )  # fmt: skip
    rule(wallets="growth", points=1, unit_minor=100)
    create_plan(
        code="club", name={"en": "Club"}, tier_code="gold", price_minor=100, period_months=6,
        renews=False, by=SYSTEM, at=noon(FIRST),
    )  # fmt: skip
    Job.objects.filter(brand_id=brand.pk).delete()
    people = {name: join(FIRST) for name in stands[0][1:]}
    by_day: dict[date, list[tuple[str, str, str]]] = {}
    for on, name, what, amount in acts(happens):
        by_day.setdefault(on, []).append((name, what, amount))
    shown: list[list[str]] = []
    on = FIRST
    while on <= LAST:
        night(on)
        for name, what, amount in by_day.get(on, []):
            play(people[name], on, what, amount)
        if (on + timedelta(days=1)).day == 1:
            row = [f"{on:%Y-%m}"]
            for member in people.values():
                standing = get_standing(member_id=member.pk, at=noon(on))
                assert standing is not None
                row.append(f"{standing.metric_value} {standing.tier.code}")
            shown.append(row)
        on += timedelta(days=1)
    assert shown == stands[2:]
    names = {member.pk: name for name, member in people.items()}
    assert told_and_moved(names) == sorted(tuple(row[:4]) for row in changes[2:])
    assert [line for check in CHECKS.values() for line in check()] == []
