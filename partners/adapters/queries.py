"""Reading connections and their calls."""

from datetime import datetime, timedelta

from partners.adapters.errors import ConnectionNotFoundError
from partners.adapters.models import Connection, PartnerCall

# Cancellations that a partner could not be told stay on the list of staff for so long.
_TROUBLE = timedelta(days=14)


def get_connection(*, partner_code: str) -> Connection:
    """Return the connection of a partner.

    :raises ConnectionNotFoundError: if it has none.
    """
    found = Connection.objects.select_related("partner").filter(partner__code=partner_code).first()
    if found is None:
        raise ConnectionNotFoundError
    return found


def find_connection(*, partner_id: int) -> Connection | None:
    """Return the connection of a partner, or None."""
    return Connection.objects.filter(partner_id=partner_id).first()


def list_calls(*, connection: Connection, limit: int = 50) -> list[PartnerCall]:
    """Return the newest calls of a connection, with their orders."""
    return list(
        PartnerCall.objects.filter(connection=connection)
        .select_related("order")
        .order_by("-pk")[:limit]
    )


def count_trouble(*, at: datetime) -> tuple[int, int]:
    """Return how many connections were switched off by themselves, and untold cancellations."""
    off = Connection.objects.filter(is_enabled=False, partner__status="active").count()
    untold = PartnerCall.objects.filter(
        state=PartnerCall.State.GIVEN_UP,
        action=PartnerCall.Action.CANCEL,
        closed_at__gte=at - _TROUBLE,
    ).count()
    return off, untold
