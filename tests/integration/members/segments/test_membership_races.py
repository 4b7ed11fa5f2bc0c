"""The members of a segment stored by several runs at once: once, with who came and went."""

import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from core.actors import SYSTEM
from members.profiles.operations import enrol, update_profile
from members.segments import membership
from members.segments.membership import Stored, store_segment
from members.segments.models import SavedSegment, SegmentChange, SegmentDay, SegmentMember
from members.segments.operations import save_segment
from tenants.brands.models import Brand
from tenants.events.models import Event
from tests.integration.benefits.races import together

pytestmark = pytest.mark.race
DAY = date(2026, 3, 15)
AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)


@pytest.fixture
def segment(committed_brand: Brand) -> SavedSegment:
    """Return a segment of three members, stored yesterday; since then one left and one came."""
    members = [
        enrol(external_id=f"s{number}", region=region, at=AT - timedelta(days=9), by=SYSTEM)
        for number, region in enumerate(("north", "north", "north", "south"))
    ]
    made = save_segment(
        name="North", condition={"field": "region", "op": "=", "value": "north"}, by=SYSTEM, at=AT
    )
    SavedSegment.objects.filter(pk=made.pk).update(tells=True)
    store_segment(segment_id=made.pk, on=DAY - timedelta(days=1), at=AT - timedelta(days=1))
    update_profile(member=members[0], region="south", by=SYSTEM, at=AT)
    update_profile(member=members[3], region="north", by=SYSTEM, at=AT)
    return made


def test_runs_at_once_store_it_once(committed_brand: Brand, segment: SavedSegment) -> None:
    Event.objects.all().delete()
    results = together(
        committed_brand, [lambda: store_segment(segment_id=segment.pk, on=DAY, at=AT)] * 6
    )
    assert all(isinstance(one, Stored) for one in results), results
    assert SegmentMember.objects.count() == 3
    changes = SegmentChange.objects.order_by("entered").values_list("on_date", "entered")
    assert list(changes) == [(DAY, False), (DAY, True)]
    day = SegmentDay.objects.get(on_date=DAY)
    assert (day.size, day.entered, day.left) == (3, 1, 1)
    told = Event.objects.filter(type__in=["segment.entered", "segment.left"])
    assert sorted(told.values_list("type", flat=True)) == ["segment.entered", "segment.left"]


def test_control_without_turns_the_runs_collide(
    committed_brand: Brand, segment: SavedSegment
) -> None:
    read = threading.Barrier(2)

    def naive() -> Any:
        with transaction.atomic():
            found = SavedSegment.objects.get(pk=segment.pk)
            read.wait(10)
            size = membership._write(found, on=DAY, at=AT, is_baseline=False)
            time.sleep(0.3)  # so that the other one writes before this one commits
            return size

    results = together(committed_brand, [naive, naive])
    assert any(isinstance(one, IntegrityError) for one in results)
