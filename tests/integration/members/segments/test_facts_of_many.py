"""Facts of a page of members are those of each one alone; a search stays within an audience."""

from datetime import date, datetime, timedelta
from typing import Any

from core.actors import SYSTEM
from members.activity.operations import add_purchase
from members.profiles.models import Member
from members.profiles.operations import enrol
from members.profiles.queries import search_members
from members.segments.conditions import FIELDS, compile_sql, parse
from members.segments.operations import recompute_scores
from members.segments.queries import list_facts, member_facts


def _members(at: datetime) -> list[Member]:
    made = []
    for number, region in enumerate(("north", "", "south")):
        member = enrol(
            external_id=f"f-{number}", region=region, name=f"Kim {number}",
            birthday=date(1990, 5, 1), at=at - timedelta(days=40), by=SYSTEM,
        )  # fmt: skip
        for back in range(number):
            add_purchase(
                external_id=f"o-{number}-{back}",
                member=member,
                occurred_at=at - timedelta(days=back + 1),
                amount_minor=1_000 * (back + 1),
                currency="CNY",
                at=at,
            )
        made.append(member)
    return made


def test_facts_of_many_are_those_of_each(brand: Any, at: datetime) -> None:
    members = _members(at)
    recompute_scores(on=date(2026, 3, 15), at=at)
    fields = [field.name for field in FIELDS if not field.name.startswith("tier")]
    found = list_facts(member_ids=[row.pk for row in members], fields=fields, at=at)
    assert found == {
        row.pk: member_facts(member_id=row.pk, fields=fields, at=at) for row in members
    }
    assert [found[row.pk]["spend_30d"] for row in members] == [0, 1_000, 3_000]
    assert list_facts(member_ids=[], fields=fields, at=at) == {}


def test_a_search_stays_within_an_audience(brand: Any, at: datetime) -> None:
    north, nowhere, south = _members(at)
    known = compile_sql(parse({"field": "region", "op": "is_set", "value": True}), at=at)
    assert search_members(within=known) == [south, north]
    assert search_members(text="kim", within=known) == [south, north]
    assert search_members(text="kim", within=known, after=south.pk) == [north]
    assert search_members(within=known, limit=1) == [south]
    assert search_members(text=nowhere.number, within=known) == []
    assert search_members(text=nowhere.number) == [nowhere]
