"""What must always hold of bookings."""

from collections.abc import Callable

from django.db import connection

_SHOWN = 20
_COUNTS = """
SELECT s.id, s.booked, count(b.id) FROM benefits_slot s
  LEFT JOIN benefits_slotbooking b ON b.slot_id = s.id AND b.cancelled_at IS NULL
 GROUP BY s.id HAVING s.booked <> count(b.id) OR s.booked > s.capacity
 ORDER BY s.id LIMIT %s
"""


def slots_count_their_bookings() -> list[str]:
    """Return the slots whose count is not that of their bookings, or past their capacity."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [_SHOWN])
        return [
            f"slot {slot}: {booked} booked, {found} bookings"
            for slot, booked, found in cursor.fetchall()
        ]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "slots count their bookings": slots_count_their_bookings
}
