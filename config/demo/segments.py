"""What the demo brands did with segments: visits that are counted, saved conditions, their days."""

import random
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from config.demo.programme import Programme
from config.demo.specs import BrandSpec
from members.activity.operations import record_event
from members.profiles.models import Member
from members.segments.membership import store_segment
from members.segments.operations import save_segment
from tenants.jobs.operations import run_pending

_DAYS = 24
_VISITORS = 40

_QUIET = ("Good customers gone quiet", "沉默的好客户")
_BIRTHDAY = ("Birthday within two weeks", "两周内生日")
_ACTIVE = ("Bought and came by lately", "近期活跃")
_LOST = ("Used nothing and bought nothing", "既未消费也未用权益")


def add_segments(
    spec: BrandSpec, made: Programme, *, members: Sequence[Member], now: datetime, today: date
) -> None:
    """Save four segments a month ago and store who was in them on each day since."""
    rng = random.Random(f"{spec.slug} segments")
    zone = ZoneInfo(spec.timezone)
    _visit(rng, members, now=now)
    language = 1 if spec.locale.startswith("zh") else 0
    by = made.actor("manager")
    first = today - timedelta(days=_DAYS)
    saved = [
        save_segment(
            name=names[language],
            condition=tree,
            by=by,
            at=datetime.combine(first, time(0, 5), tzinfo=zone),
        )
        for names, tree in _conditions(spec)
    ]
    run_pending(at=datetime.combine(first, time(0, 6), tzinfo=zone))
    for back in range(_DAYS - 1, -1, -1):
        day = today - timedelta(days=back)
        at = min(datetime.combine(day, time(4, 0), tzinfo=zone), now)
        for segment in saved:
            store_segment(segment_id=segment.pk, on=day, at=at)


def _conditions(spec: BrandSpec) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    benefit = spec.benefits[0].code
    return [
        (
            _QUIET,
            {
                "all": [
                    {"field": "orders_365d", "op": ">=", "value": 2},
                    {"field": "days_since_last_purchase", "op": "between", "value": [60, 180]},
                ]
            },
        ),
        (_BIRTHDAY, {"all": [{"field": "days_to_birthday", "op": "<=", "value": 14}]}),
        (
            _ACTIVE,
            {
                "any": [
                    {"field": "orders_30d", "op": ">=", "value": 1},
                    {
                        "field": "event_count",
                        "args": {"event": "visit", "days": 30},
                        "op": ">=",
                        "value": 1,
                    },
                ]
            },
        ),
        (
            _LOST,
            {
                "all": [
                    {"field": "orders_90d", "op": "=", "value": 0},
                    {
                        "field": "used_benefit",
                        "args": {"benefit": benefit, "days": 180},
                        "op": "is",
                        "value": False,
                    },
                ]
            },
        ),
    ]


def _visit(rng: random.Random, members: Sequence[Member], *, now: datetime) -> None:
    """Let some members come by without buying, and some check in day after day."""
    for place, member in enumerate(rng.sample(list(members), min(_VISITORS, len(members)))):
        name = "check_in" if place % 4 == 0 else "visit"
        days = range(rng.randint(2, 9)) if name == "check_in" else rng.sample(range(45), 2)
        for back in days:
            at = now - timedelta(days=back, minutes=rng.randint(30, 300))
            if at > member.enrolled_at:
                record_event(member=member, name=name, occurred_at=at, at=now)
