"""The rows behind a figure: for each kind the query whose rows the figure counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.models import Benefit
from benefits.insights._slices_sql import ACTIVE_GRANT
from benefits.insights.months import Month
from core.errors import NotFoundError

_USERS = """
    SELECT member_id, count(*) AS amount, max(requested_at) AS at FROM benefits_redemption
     WHERE benefit_id = %(benefit)s AND requested_at >= %(starts)s AND requested_at < %(ends)s
       AND state NOT IN ('cancelled', 'failed')
     GROUP BY member_id
"""
_BUYERS = f"""
    SELECT u.member_id AS id, u.member_id, sum(d.orders) AS amount, max(u.at) AS at
      FROM ({_USERS}) u JOIN members_memberday d ON d.member_id = u.member_id
       AND d.on_date >= %(days90)s AND d.on_date < %(after)s
     GROUP BY u.member_id HAVING sum(d.orders) >=
"""  # noqa: S608
# Each gives (id, member_id, amount, at), where id is unique and rows come in its order.
_SQL: Final[dict[str, str]] = {
    "users": f"SELECT member_id AS id, member_id, amount, at FROM ({_USERS}) AS u",  # noqa: S608
    "target": f"""
        SELECT g.member_id AS id, g.member_id, sum(g.quantity) AS amount, max(g.issued_at) AS at
          FROM benefits_grant g WHERE g.benefit_id = %(benefit)s AND {ACTIVE_GRANT}
         GROUP BY g.member_id
    """,  # noqa: S608
    "grants": """
        SELECT id, member_id, used AS amount, issued_at AS at FROM benefits_grant
         WHERE benefit_id = %(benefit)s AND issued_at >= %(starts)s AND issued_at < %(ends)s
    """,
    "fulfilments": """
        SELECT id, member_id, cost_minor AS amount, fulfilled_at AS at FROM benefits_redemption
         WHERE benefit_id = %(benefit)s AND fulfilled_at >= %(starts)s AND fulfilled_at < %(ends)s
           AND state IN ('fulfilled', 'reversed')
    """,
    "answers": """
        SELECT id, member_id, nps AS amount, rated_at AS at FROM benefits_redemption
         WHERE benefit_id = %(benefit)s AND rated_at >= %(nps_from)s AND rated_at < %(ends)s
           AND nps IS NOT NULL
    """,
    "ratings": """
        SELECT id, member_id, rating AS amount, rated_at AS at FROM benefits_redemption
         WHERE benefit_id = %(benefit)s AND rated_at >= %(starts)s AND rated_at < %(ends)s
           AND rating IS NOT NULL
    """,
    "buyers": f"{_BUYERS} 1",
    "repeaters": f"{_BUYERS} 2",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rows: what they are, what `amount` says of each, what is counted or added up."""

    title: str | Promise
    amount: str | Promise
    is_money: bool = False
    of_redemptions: bool = False


KINDS: Final[dict[str, Kind]] = {
    "users": Kind(_("Members who used it"), _("Requests")),
    "target": Kind(_("Members who held it"), _("Units held")),
    "grants": Kind(_("Grants issued"), _("Units used")),
    "fulfilments": Kind(_("Units fulfilled"), _("Cost"), is_money=True, of_redemptions=True),
    "answers": Kind(_("Answers"), _("Answer 0–10"), of_redemptions=True),
    "ratings": Kind(_("Ratings"), _("Rating 1–5"), of_redemptions=True),
    "buyers": Kind(_("Users with a purchase"), _("Purchases")),
    "repeaters": Kind(_("Users with two or more purchases"), _("Purchases")),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row behind a figure; `id` is the member's or the redemption's or the grant's key."""

    id: int
    member_id: int
    number: str
    external_id: str
    amount: int
    at: datetime


def list_rows(
    *, benefit: Benefit, month: Month, kind: str, after: int = 0, limit: int = 50
) -> list[Row]:
    """Return the rows of a kind behind a month's figure, by their key, after the one given.

    :raises NotFoundError: for a kind that is none.
    """
    if kind not in _SQL:
        raise NotFoundError(rows=kind)
    values: dict[str, Any] = {
        "benefit": benefit.pk,
        "first": month.first,
        "after": month.after,
        "starts": month.starts_at,
        "ends": month.ends_at,
        "days90": month.days90,
        "nps_from": month.ends_at - timedelta(days=90),
        "beyond": after,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id, r.member_id, m.number, m.external_id, r.amount, r.at"  # noqa: S608
            f" FROM ({_SQL[kind]}) AS r JOIN members_member m ON m.id = r.member_id"
            " WHERE r.id > %(beyond)s ORDER BY r.id LIMIT %(limit)s",
            values,
        )
        return [Row(*row) for row in cursor.fetchall()]


def stream_rows(
    *, benefit: Benefit, month: Month, kind: str, chunk: int = 2_000
) -> Iterator[list[Row]]:
    """Give all rows of a kind in pieces, for a file."""
    after = 0
    while rows := list_rows(benefit=benefit, month=month, kind=kind, after=after, limit=chunk):
        yield rows
        after = rows[-1].id
