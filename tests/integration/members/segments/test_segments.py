"""Saved segments: kept, changed, removed, with an audit of each."""

from datetime import UTC, datetime

import pytest

from core.actors import SYSTEM
from members.segments.conditions import ConditionError
from members.segments.errors import SegmentNameTakenError, SegmentNotFoundError
from members.segments.models import SavedSegment
from members.segments.operations import change_segment, delete_segment, save_segment
from members.segments.queries import get_segment, list_segments
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand

AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
NORTH = {"field": "region", "op": "=", "value": "north"}
SOUTH = {"field": "region", "op": "=", "value": "south"}
WRONG = {"field": "region", "op": "<", "value": "south"}


def test_segment_is_kept_changed_and_removed(brand: Brand) -> None:
    made = save_segment(name="North", condition=NORTH, by=SYSTEM, at=AT)
    changed = change_segment(segment_id=made.pk, condition=SOUTH, by=SYSTEM, at=AT)
    assert changed.condition == SOUTH
    assert [segment.name for segment in list_segments()] == ["North"]
    delete_segment(segment_id=made.pk, by=SYSTEM, at=AT)
    with pytest.raises(SegmentNotFoundError):
        get_segment(segment_id=made.pk)
    entries = AuditEntry.objects.filter(target_type="segment").order_by("pk")
    assert [(entry.action, entry.changes["condition"]) for entry in entries] == [
        ("segment.saved", [None, NORTH]),
        ("segment.changed", [NORTH, SOUTH]),
        ("segment.deleted", [SOUTH, None]),
    ]


def test_refusals_change_nothing(brand: Brand) -> None:
    made = save_segment(name="North", condition=NORTH, by=SYSTEM, at=AT)
    audited = AuditEntry.objects.count()
    with pytest.raises(SegmentNameTakenError):
        save_segment(name="North", condition=SOUTH, by=SYSTEM, at=AT)
    with pytest.raises(ConditionError):
        save_segment(name="Wrong", condition=WRONG, by=SYSTEM, at=AT)
    with pytest.raises(ConditionError):
        change_segment(segment_id=made.pk, condition=WRONG, by=SYSTEM, at=AT)
    for work in (
        lambda: change_segment(segment_id=made.pk + 1, condition=SOUTH, by=SYSTEM, at=AT),
        lambda: delete_segment(segment_id=made.pk + 1, by=SYSTEM, at=AT),
    ):
        with pytest.raises(SegmentNotFoundError):
            work()
    assert list(SavedSegment.objects.values_list("name", "condition")) == [("North", NORTH)]
    assert AuditEntry.objects.count() == audited
