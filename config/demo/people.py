"""Members and purchases of a demo brand, from its own seed: the same every time."""

import gzip
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from config.demo.specs import BrandSpec

SAMPLE = Path(__file__).parent / "data" / "cdnow_sample.txt.gz"
HISTORY_DAYS = 365


@dataclass(frozen=True, slots=True)
class Person:
    """A member to be: who, where, since when, and how eager to buy (purchases a year)."""

    external_id: str
    name: str
    email: str
    phone: str
    birthday: date
    gender: str
    region: str
    store: str
    joined_on: date
    eagerness: float


@dataclass(frozen=True, slots=True)
class Bought:
    """A purchase to be; the amount in minor units."""

    external_id: str
    member: str
    at: datetime
    amount_minor: int
    channel: str
    store: str
    associate: str
    category: str
    quantity: int


def name_of(spec: BrandSpec, rng: random.Random) -> str:
    """Return a name in the brand's language."""
    first, second = spec.names
    return rng.choice(first) + spec.joiner + rng.choice(second)


def _details(spec: BrandSpec, rng: random.Random, number: int) -> dict[str, object]:
    born = date(rng.randint(1962, 2004), rng.randint(1, 12), rng.randint(1, 28))
    region = rng.choices(spec.regions, weights=range(len(spec.regions) + 2, 2, -1))[0]
    local = [code for code, _name, where in spec.stores if where == region]
    return {
        "name": name_of(spec, rng),
        "email": f"member{number}@{spec.slug}.example.com",
        "phone": f"+{ {'CNY': '861380', 'HKD': '8526', 'USD': '1212555'}[spec.currency] }"
        f"{number:04d}{rng.randint(0, 9)}",
        "birthday": born,
        "gender": rng.choice(("f", "f", "m")) if spec.slug == "huazhi" else rng.choice("fm"),
        "region": region,
        "store": rng.choice(local) if local else spec.stores[0][0],
    }


def people(spec: BrandSpec, today: date) -> list[Person]:
    """Make the members of a brand: four in ten were there before the year began."""
    rng = random.Random(f"{spec.slug} people")
    made = []
    for number in range(1, spec.members + 1):
        old = rng.random() < 0.4
        back = HISTORY_DAYS if old else rng.randint(3, HISTORY_DAYS - 5)
        made.append(
            Person(
                external_id=f"{spec.slug.upper()[:2]}{number:05d}",
                joined_on=today - timedelta(days=back),
                eagerness=min(rng.lognormvariate(1.25, 0.85), 30.0),
                **_details(spec, rng, number),  # type: ignore[arg-type]
            )
        )
    return sorted(made, key=lambda person: person.joined_on)


# How much busier or quieter a month is than the mean one.
SEASON = (1.05, 0.9, 1.0, 0.95, 1.05, 1.15, 0.9, 0.92, 1.0, 1.05, 1.3, 1.2)


def purchases(spec: BrandSpec, members: list[Person], today: date) -> list[Bought]:
    """Make a year of purchases, the last of them yesterday."""
    rng = random.Random(f"{spec.slug} purchases")
    zone = ZoneInfo(spec.timezone)
    found = []
    for person in members:
        day = person.joined_on + timedelta(days=rng.randint(0, 2))
        number = 0
        while day < today:
            number += 1
            found.append(_purchase(spec, person, day, number, rng, zone))
            pace = person.eagerness * SEASON[day.month - 1]
            day += timedelta(days=max(1, round(rng.expovariate(pace / 365.0))))
            if rng.random() < 0.03:  # some stop buying
                break
    yesterday = today - timedelta(days=1)
    if members and not any(bought.at.date() == yesterday for bought in found):
        found.append(_purchase(spec, members[0], yesterday, 999, rng, zone))
    return sorted(found, key=lambda bought: bought.at)


def _purchase(
    spec: BrandSpec, person: Person, day: date, number: int, rng: random.Random, zone: ZoneInfo
) -> Bought:
    category, _label, low, high = rng.choice(spec.categories)
    amount = round(rng.triangular(low, high, low + (high - low) * 0.3), -2)
    online = rng.random() < 0.35
    at = datetime.combine(day, time(rng.randint(10, 20), rng.randint(0, 59)), tzinfo=zone)
    return Bought(
        external_id=f"{person.external_id}-{number:03d}",
        member=person.external_id,
        at=at,
        amount_minor=int(amount),
        channel="online" if online else "store",
        store=spec.stores[-1][0] if online else person.store,
        associate="" if online else rng.choice(spec.associates),
        category=category,
        quantity=1,
    )


def cdnow(spec: BrandSpec, today: date) -> tuple[list[Person], list[Bought]]:
    """Read the sample of real purchases, all dates shifted so that the last is yesterday."""
    rows = list(_sample())
    shift = (today - timedelta(days=1)) - max(day for _member, day, _n, _amount in rows)
    rng = random.Random(f"{spec.slug} people")
    zone = ZoneInfo(spec.timezone)
    first: dict[str, date] = {}
    running: dict[tuple[str, date], int] = defaultdict(int)
    bought = []
    for member, day, quantity, cents in rows:
        moved = day + shift
        first.setdefault(member, moved)
        running[member, moved] += 1
        online = rng.random() < 0.6
        store = spec.stores[-1][0] if online else rng.choice(spec.stores[:-1])[0]
        bought.append(
            Bought(
                external_id=f"CD{member}-{moved:%Y%m%d}-{running[member, moved]}",
                member=f"CD{member}",
                at=datetime.combine(
                    moved, time(rng.randint(9, 21), rng.randint(0, 59)), tzinfo=zone
                ),
                amount_minor=cents,
                channel="online" if online else "store",
                store=store,
                associate="" if online else rng.choice(spec.associates),
                category=spec.categories[0][0],
                quantity=max(quantity, 1),
            )
        )
    members = [
        Person(
            external_id=f"CD{member}",
            joined_on=day,
            eagerness=0,
            **_details(spec, rng, number),  # type: ignore[arg-type]
        )
        for number, (member, day) in enumerate(sorted(first.items()), 1)
    ]
    return sorted(members, key=lambda p: p.joined_on), sorted(bought, key=lambda b: b.at)


def _sample() -> Iterator[tuple[str, date, int, int]]:
    with gzip.open(SAMPLE, "rt", encoding="ascii") as lines:
        for line in lines:
            parts = line.split()
            if not parts or not parts[0].isdigit():
                continue
            member, day, count, dollars = parts
            whole, _point, cents = dollars.partition(".")
            yield (
                member,
                datetime.strptime(day, "%Y%m%d").date(),  # noqa: DTZ007  (a date, no instant)
                int(count),
                int(whole) * 100 + int(cents.ljust(2, "0")[:2] or 0),
            )
