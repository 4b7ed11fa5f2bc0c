"""Making tier schemes and moving members between tiers."""

from members.tiers.operations.lifts import end_lift, is_known_tier, lift_member
from members.tiers.operations.many import (
    evaluate_members,
    evaluate_range,
    find_candidates,
    note_run,
    raise_many,
    write_multipliers,
)
from members.tiers.operations.overrides import lift_override, set_override
from members.tiers.operations.paid import (
    Bought,
    change_plan,
    create_plan,
    record_payment,
    refund_term,
    set_renewal,
    tell_of_renewals,
)
from members.tiers.operations.pins import Settled, list_due, settle_members, tell_of_endings
from members.tiers.operations.schemes import (
    EVALUATE,
    create_scheme,
    delete_draft,
    mark_replaced,
    publish_scheme,
)
from members.tiers.operations.simulations import SIMULATE, note_found, start_simulation
from members.tiers.operations.single import (
    check_member,
    hold_member,
    holding_call,
    holding_of,
    mark_due,
    measure_member,
    measuring_call,
    raise_tier,
)
from members.tiers.values import Evaluated

__all__ = [
    "EVALUATE",
    "SIMULATE",
    "Bought",
    "Evaluated",
    "Settled",
    "change_plan",
    "check_member",
    "create_plan",
    "create_scheme",
    "delete_draft",
    "end_lift",
    "evaluate_members",
    "evaluate_range",
    "find_candidates",
    "hold_member",
    "holding_call",
    "holding_of",
    "is_known_tier",
    "lift_member",
    "lift_override",
    "list_due",
    "mark_due",
    "mark_replaced",
    "measure_member",
    "measuring_call",
    "note_found",
    "note_run",
    "publish_scheme",
    "raise_many",
    "raise_tier",
    "record_payment",
    "refund_term",
    "set_override",
    "set_renewal",
    "settle_members",
    "start_simulation",
    "tell_of_endings",
    "tell_of_renewals",
    "write_multipliers",
]
