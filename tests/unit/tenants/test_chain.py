"""The hash chain: the same content gives the same bytes, any change another digest."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tenants.audit._chain import FIELDS, START, canonical, link

ENTRY = {
    "id": 7,
    "at": datetime(2026, 3, 15, 4, 0, 0, 123456, tzinfo=UTC),
    "actor_kind": "staff",
    "actor_id": None,
    "actor_label": "Ann",
    "address": "",
    "action": "tier.changed",
    "target_type": "tier",
    "target_id": "3",
    "reason": "会员",
    "changes": {"b": [1, None], "a": [True, "x"]},
}


def test_canonical_form_never_changes():
    assert canonical(ENTRY).decode() == (
        '{"action":"tier.changed","actor_id":null,"actor_kind":"staff","actor_label":"Ann",'
        '"address":"","at":"2026-03-15T04:00:00.123456+00:00",'
        '"changes":{"a":[true,"x"],"b":[1,null]},"id":7,"reason":"会员","target_id":"3",'
        '"target_type":"tier"}'
    )


def test_canonical_form_does_not_depend_on_zone_or_order():
    zone = timezone(timedelta(hours=8))
    same = dict(reversed({**ENTRY, "at": ENTRY["at"].astimezone(zone)}.items()))

    assert canonical(same) == canonical(ENTRY)


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_counts(name):
    changed = {**ENTRY, name: datetime(2030, 1, 1, tzinfo=UTC) if name == "at" else "changed"}

    assert link(number=1, previous=START, entry=changed) != link(
        number=1, previous=START, entry=ENTRY
    )


def test_number_and_previous_link_count():
    first = link(number=1, previous=START, entry=ENTRY)

    assert len(first) == 64
    assert link(number=2, previous=START, entry=ENTRY) != first
    assert link(number=1, previous=first, entry=ENTRY) != first
