"""Making tier schemes and moving members between tiers."""

from members.tiers.operations.many import (
    evaluate_members,
    evaluate_range,
    find_candidates,
    note_run,
    raise_many,
    write_multipliers,
)
from members.tiers.operations.schemes import (
    EVALUATE,
    create_scheme,
    delete_draft,
    mark_replaced,
    publish_scheme,
)
from members.tiers.operations.single import (
    check_member,
    hold_member,
    mark_due,
    measure_member,
    raise_tier,
)
from members.tiers.values import Evaluated

__all__ = [
    "EVALUATE",
    "Evaluated",
    "check_member",
    "create_scheme",
    "delete_draft",
    "evaluate_members",
    "evaluate_range",
    "find_candidates",
    "hold_member",
    "mark_due",
    "mark_replaced",
    "measure_member",
    "note_run",
    "publish_scheme",
    "raise_many",
    "raise_tier",
    "write_multipliers",
]
