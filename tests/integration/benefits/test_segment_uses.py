"""A saved segment that a rule or an item needs is not removed; ended rules let it go."""

from typing import Any

import pytest

from benefits.mall.models import MallItem
from benefits.rules.operations import end_rule
from core.actors import SYSTEM
from members.earning.rule_operations import activate_rule
from members.earning.rule_operations import create_rule as create_earning_rule
from members.earning.rule_operations import end_rule as end_earning_rule
from members.segments.errors import SegmentInUseError
from members.segments.operations import delete_segment, save_segment
from members.segments.queries import list_segment_uses
from tests.integration.benefits.world import World


def test_rules_and_items_hold_on_to_their_segments(world: World) -> None:
    segment = save_segment(name="North", condition={}, by=SYSTEM, at=world.at)
    tree: dict[str, Any] = {
        "field": "in_segment", "args": {"segment": segment.pk}, "op": "is", "value": True,
    }  # fmt: skip
    rule = world.rule(world.benefit(), name="Spring", condition=tree)
    earning = create_earning_rule(
        name="Double", effect="fixed", points=5, condition={"not": tree}, by=SYSTEM, at=world.at
    )
    activate_rule(rule_id=earning.pk, by=SYSTEM, at=world.at)
    item = world.item(condition=tree)
    used = {use.name for use in list_segment_uses(segment_id=segment.pk)}
    assert used == {"Spring", "Double", "Towel"}
    end_rule(rule=rule, by=SYSTEM, at=world.at)
    end_earning_rule(rule_id=earning.pk, by=SYSTEM, at=world.at)
    with pytest.raises(SegmentInUseError) as refused:
        delete_segment(segment_id=segment.pk, by=SYSTEM, at=world.at)
    assert refused.value.data["used_by"] == ["Towel"]
    MallItem.objects.filter(pk=item.pk).update(condition=None)
    delete_segment(segment_id=segment.pk, by=SYSTEM, at=world.at)
