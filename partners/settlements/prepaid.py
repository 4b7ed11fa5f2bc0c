"""Money paid to partners ahead: packs bought, drawn by statements, and told of when it runs low.

A partner's row is locked while its account changes, so that no draw takes more than is left.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, F, Sum, When
from django.utils.translation import gettext as _

from core.actors import Actor
from core.clock import local_date
from core.ids import derived_uuid
from core.money import MAX_MINOR
from partners.pool.models import Partner
from partners.settlements.errors import InvalidSettlementError, NothingLeftError
from partners.settlements.models import PrepaidEntry, Statement
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit

_Kind = PrepaidEntry.Kind


@dataclass(frozen=True, slots=True)
class Float:
    """What is left of the money paid ahead to one partner, in minor units.

    `left` is on the account; `expected` is what delivered and not yet approved orders will draw;
    `low` is the limit agreed, or None where there is none.
    """

    partner_id: int
    left: int
    expected: int
    low: int | None

    @property
    def free(self) -> int:
        """Return what is left once everything delivered so far is drawn."""
        return self.left - self.expected

    @property
    def is_low(self) -> bool:
        return self.low is not None and self.free < self.low


def buy_pack(
    *, partner: Partner, amount_minor: int, reference: str, key: UUID, by: Actor, at: datetime
) -> PrepaidEntry:
    """Note that money was paid to a partner ahead; coming statements draw it first.

    :raises InvalidSettlementError: for an amount out of range, or without a reference.
    """
    return _enter(partner, _Kind.PACK, amount_minor, reference, key, by, at)


def refund(
    *, partner: Partner, amount_minor: int, reference: str, key: UUID, by: Actor, at: datetime
) -> PrepaidEntry:
    """Note that a partner paid some of it back.

    :raises NothingLeftError: if less is left.
    :raises InvalidSettlementError: as `buy_pack`.
    """
    return _enter(partner, _Kind.REFUND, amount_minor, reference, key, by, at)


def draw(*, statement: Statement, by: Actor, at: datetime) -> int:
    """Cover a statement from what was paid ahead, as far as that goes; the amount drawn."""
    Partner.objects.select_for_update().get(pk=statement.partner_id)
    amount = min(left(partner_id=statement.partner_id), statement.total_minor)
    if amount <= 0:
        return 0
    PrepaidEntry.objects.create(
        partner_id=statement.partner_id,
        kind=_Kind.DRAW,
        amount_minor=amount,
        statement_id=statement.pk,
        reference=statement.number,
        on_date=local_date(at, current_brand().timezone),
        by=by.key,
        by_label=by.label[:120],
        at=at,
        key=derived_uuid("prepaid-draw", statement.pk),
    )
    return amount


def left(*, partner_id: int) -> int:
    """Return what is left on a partner's account."""
    return int(
        PrepaidEntry.objects.filter(partner_id=partner_id).aggregate(
            left=Sum(
                Case(When(kind=_Kind.PACK, then=F("amount_minor")), default=-F("amount_minor"))
            )
        )["left"]
        or 0
    )


_FLOATS = """
SELECT a.partner_id, a.paid, coalesce(w.waiting, 0) + coalesce(d.delivered, 0), c.low_float_minor
  FROM (SELECT partner_id,
               sum(CASE kind WHEN 'pack' THEN amount_minor ELSE -amount_minor END) AS paid
          FROM partners_prepaidentry
         WHERE %(partners)s::bigint[] IS NULL OR partner_id = ANY(%(partners)s)
         GROUP BY partner_id) a
  LEFT JOIN partners_partnercontract c
    ON c.partner_id = a.partner_id AND c.valid_from <= %(today)s
   AND (c.valid_to IS NULL OR c.valid_to > %(today)s)
  LEFT JOIN LATERAL (SELECT sum(total_minor) AS waiting FROM partners_statement
                      WHERE partner_id = a.partner_id
                        AND state IN ('draft', 'sent', 'disputed')) w ON true
  LEFT JOIN LATERAL (
       SELECT sum(o.price_minor) AS delivered FROM partners_fulfilmentorder o
        WHERE o.partner_id = a.partner_id AND o.state = 'fulfilled'
          AND o.closed_at >= coalesce((SELECT (max(month) + interval '1 month - 2 days')
                                              AT TIME ZONE %(zone)s FROM partners_statement
                                        WHERE partner_id = a.partner_id), '-infinity')
          AND NOT EXISTS (SELECT 1 FROM partners_statementline l
                           WHERE l.order_id = o.id AND l.kind = 'service')) d ON true
 ORDER BY a.partner_id
"""


def list_floats(*, at: datetime, partners: Iterable[int] | None = None) -> list[Float]:
    """Return the accounts of all partners that were ever paid ahead, or of some, in one query."""
    zone = current_brand().timezone
    with connection.cursor() as cursor:
        cursor.execute(
            _FLOATS,
            {
                "partners": None if partners is None else list(partners),
                "today": local_date(at, zone),
                "zone": zone,
            },
        )
        return [
            Float(partner_id, int(paid), int(expected), low)
            for partner_id, paid, expected, low in cursor.fetchall()
        ]


def tell_low_floats(*, at: datetime) -> int:
    """Emit `prepaid.low` for each partner whose account is under its limit; how many there are."""
    low = [each for each in list_floats(at=at) if each.is_low]
    for each in low:
        emit(
            type="prepaid.low",
            subject=f"partner:{each.partner_id}",
            data={
                "partner_id": each.partner_id,
                "left_minor": each.left,
                "free_minor": each.free,
                "limit_minor": each.low,
            },
            at=at,
        )
    return len(low)


def _enter(
    partner: Partner,
    kind: str,
    amount_minor: int,
    reference: str,
    key: UUID,
    by: Actor,
    at: datetime,
) -> PrepaidEntry:
    reference = reference.strip()
    if not 1 <= len(reference) <= 80:
        raise InvalidSettlementError(
            _("Give the reference of the payment, at most 80 characters."), pointer="/reference"
        )
    if not 0 < amount_minor <= MAX_MINOR:
        raise InvalidSettlementError(_("Give an amount above zero."), pointer="/amount_minor")
    with transaction.atomic():
        Partner.objects.select_for_update().get(pk=partner.pk)
        known = PrepaidEntry.objects.filter(key=key).first()
        if known is not None:
            return known
        if kind == _Kind.REFUND and (found := left(partner_id=partner.pk)) < amount_minor:
            raise NothingLeftError(left=found)
        entry = PrepaidEntry.objects.create(
            partner=partner,
            kind=kind,
            amount_minor=amount_minor,
            reference=reference,
            on_date=_day(at),
            by=by.key,
            by_label=by.label[:120],
            at=at,
            key=key,
        )
        record(
            by=by,
            at=at,
            action=f"prepaid.{kind}",
            target_type="partner",
            target_id=partner.pk,
            changes={"amount_minor": [None, amount_minor]},
            reason=reference,
        )
    return entry


def _day(at: datetime) -> date:
    return local_date(at, current_brand().timezone)
