"""How orders and places in a queue follow when two members become one."""

from members.merging.registry import register_rows, register_staying

register_rows("mall.orders", table="benefits_mallorder")
# One place in each queue: where both wait, the other's place stays with the other.
register_rows(
    "mall.waiting",
    table="benefits_waitingentry",
    only=(
        "NOT EXISTS (SELECT FROM benefits_waitingentry AS held "
        "WHERE held.member_id = %(survivor)s AND held.item_id = benefits_waitingentry.item_id "
        "AND held.variant_id IS NOT DISTINCT FROM benefits_waitingentry.variant_id "
        "AND held.state IN ('waiting', 'offered'))"
    ),
)
register_staying("benefits_memberaddress", why="Part of the profile; the survivor's own holds.")
register_staying("benefits_drawticket", why="What that member drew, by a count of its own.")
