"""Statements as staff and partners read them; what a month comes to."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, When

from partners.settlements.errors import (
    DisputeNotFoundError,
    LineNotFoundError,
    StatementNotFoundError,
)
from partners.settlements.models import (
    Correction,
    DisputeMessage,
    LineDispute,
    PrepaidEntry,
    Statement,
    StatementLine,
)

_State = Statement.State


class LineView(NamedTuple):
    """A line with what people call its order and benefit, its reason, and its dispute's state."""

    id: int
    kind: str
    amount_minor: int
    on_date: date
    order: str
    benefit_code: str
    benefit_name: dict[str, str]
    reason: str
    corrects: int | None
    dispute: str


class Term(NamedTuple):
    """A part of a statement's total: how many lines of a kind, and their sum."""

    kind: str
    label: str
    lines: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """What a month comes to over all partners, in minor units."""

    month: date
    statements: int
    orders: int
    total_minor: int
    to_pay_minor: int
    booked_minor: int
    by_state: dict[str, int]


def get_statement(*, number: str, partner_id: int | None = None) -> Statement:
    """Return a statement; with `partner_id`, only that partner's own and only once sent.

    :raises StatementNotFoundError: if there is none; to a partner it is not told why.
    """
    found = _with_disputes(Statement.objects.select_related("partner").filter(number=number))
    if partner_id is not None:
        found = found.filter(partner_id=partner_id).exclude(state=_State.DRAFT)
    row = found.first()
    if row is None:
        raise StatementNotFoundError
    return row


def list_statements(
    *,
    partner_id: int | None = None,
    month: date | None = None,
    states: Sequence[str] = (),
    for_partner: bool = False,
    after: int | None = None,
    limit: int = 50,
) -> list[Statement]:
    """Return statements, the newest first, each with `open_disputes`; partners see no drafts."""
    found = _with_disputes(Statement.objects.select_related("partner"))
    if partner_id is not None:
        found = found.filter(partner_id=partner_id)
    if month is not None:
        found = found.filter(month=month)
    if states:
        found = found.filter(state__in=states)
    if for_partner:
        found = found.exclude(state=_State.DRAFT)
    if after is not None:
        found = found.filter(pk__lt=after)
    return list(found.order_by("-pk")[:limit])


def list_months() -> list[MonthTotal]:
    """Return the months that were settled, the newest first, in one query."""
    rows = (
        Statement.objects.values("month", "state")
        .annotate(
            count=Count("pk"),
            orders=Sum("orders"),
            total=Sum("total_minor"),
            prepaid=Sum("prepaid_minor"),
            booked=Sum(F("booked_minor") + F("extra_booked_minor")),
        )
        .order_by("-month", "state")
    )
    months: dict[date, list[Any]] = {}
    for row in rows:
        months.setdefault(row["month"], []).append(row)
    return [
        MonthTotal(
            month=month,
            statements=sum(row["count"] for row in found),
            orders=sum(row["orders"] for row in found),
            total_minor=sum(row["total"] for row in found),
            to_pay_minor=sum(row["total"] - row["prepaid"] for row in found),
            booked_minor=sum(row["booked"] for row in found),
            by_state={row["state"]: row["count"] for row in found},
        )
        for month, found in months.items()
    ]


def list_terms(*, statement: Statement) -> list[Term]:
    """Return what a statement's total is made of, by kind of line, in one query."""
    labels = dict(StatementLine.Kind.choices)
    rows = {
        row["kind"]: row
        for row in StatementLine.objects.filter(statement=statement)
        .values("kind")
        .annotate(lines=Count("pk"), amount=Sum("amount_minor"))
    }
    return [
        Term(kind, str(labels[kind]), rows[kind]["lines"], rows[kind]["amount"])
        for kind in StatementLine.Kind.values
        if kind in rows
    ]


_LINES = """
SELECT l.id, l.kind, l.amount_minor, l.on_date, coalesce(o.number, ''), coalesce(b.code, ''),
       b.name, coalesce(c.reason, ''), c.line_id, coalesce(d.state, '')
  FROM partners_statementline l
  LEFT JOIN partners_fulfilmentorder o ON o.id = l.order_id
  LEFT JOIN benefits_benefit b ON b.id = l.benefit_id
  LEFT JOIN partners_correction c ON c.id = l.correction_id
  LEFT JOIN partners_linedispute d ON d.line_id = l.id
 WHERE l.statement_id = %(statement)s
"""


def list_lines(
    *,
    statement: Statement,
    kinds: Sequence[str] = (),
    disputed: bool = False,
    order: str = "",
    line_id: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[LineView]:
    """Return lines in their order; of some kinds, disputed ones only, or of one order if asked."""
    values: dict[str, Any] = {"statement": statement.pk, "limit": limit}
    sql = _LINES
    if kinds:
        sql += " AND l.kind = ANY(%(kinds)s)"
        values["kinds"] = list(kinds)
    if disputed:
        sql += " AND d.id IS NOT NULL"
    if order:
        sql += " AND o.number = %(order)s"
        values["order"] = order
    if line_id is not None:
        sql += " AND l.id = %(line)s"
        values["line"] = line_id
    if after is not None:
        sql += " AND l.id > %(after)s"
        values["after"] = after
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} ORDER BY l.id LIMIT %(limit)s", values)
        return _lines(cursor.fetchall())


def get_line(*, statement: Statement, line_id: int) -> LineView:
    """Return one line of a statement.

    :raises LineNotFoundError: if it has no such line.
    """
    found = list_lines(statement=statement, line_id=line_id, limit=1)
    if not found:
        raise LineNotFoundError
    return found[0]


def every_line(*, statement: Statement, chunk: int = 2_000) -> Iterator[list[LineView]]:
    """Give all lines of a statement, some thousand at a time, for files."""
    after: int | None = None
    while found := list_lines(statement=statement, after=after, limit=chunk):
        yield found
        after = found[-1].id


def list_disputes(*, statement: Statement) -> list[LineDispute]:
    """Return the disputes of a statement, the open ones first, each with its line."""
    return list(
        LineDispute.objects.filter(statement=statement)
        .select_related("line")
        .order_by(Case(When(state=LineDispute.State.OPEN, then=0), default=1), "pk")
    )


def get_dispute(*, statement: Statement, line_id: int) -> LineDispute:
    """Return the dispute of a line, with its line.

    :raises DisputeNotFoundError: if the line was not disputed.
    """
    found = (
        LineDispute.objects.select_related("line")
        .filter(statement=statement, line_id=line_id)
        .first()
    )
    if found is None:
        raise DisputeNotFoundError
    return found


def list_messages(*, dispute_ids: Sequence[int]) -> dict[int, list[DisputeMessage]]:
    """Return the threads of disputes, in one query."""
    threads: dict[int, list[DisputeMessage]] = {}
    for message in DisputeMessage.objects.filter(dispute_id__in=dispute_ids).order_by("pk"):
        threads.setdefault(message.dispute_id, []).append(message)
    return threads


def list_waiting_corrections(*, partner_id: int | None = None) -> list[Correction]:
    """Return corrections that no statement has taken up yet, the oldest first."""
    found = Correction.objects.select_related("partner").filter(
        ~Exists(StatementLine.objects.filter(correction_id=OuterRef("pk")))
    )
    if partner_id is not None:
        found = found.filter(partner_id=partner_id)
    return list(found.order_by("pk"))


def list_prepaid(*, partner_id: int, limit: int = 50) -> list[PrepaidEntry]:
    """Return the movements of a partner's prepaid account, the newest first."""
    return list(PrepaidEntry.objects.filter(partner_id=partner_id).order_by("-pk")[:limit])


def count_for_staff(*, today: date) -> tuple[int, int, int]:
    """Return how many disputes wait, statements can be approved, and payments are due: one query."""
    is_open = Exists(
        LineDispute.objects.filter(statement=OuterRef("pk"), state=LineDispute.State.OPEN)
    )
    found = (
        Statement.objects.exclude(state=_State.PAID)
        .annotate(has_open=is_open)
        .aggregate(
            disputes=Count("pk", filter=Q(has_open=True)),
            ready=Count(
                "pk",
                filter=Q(state__in=[_State.SENT, _State.DISPUTED], has_open=False)
                & (Q(agreed_at__isnull=False) | Q(objection_until_on__lt=today)),
            ),
            due=Count("pk", filter=Q(state=_State.APPROVED, due_on__lte=today)),
        )
    )
    return found["disputes"], found["ready"], found["due"]


def _lines(rows: Sequence[Sequence[Any]]) -> list[LineView]:
    """Return rows as lines; a name that many lines share is read once."""
    names: dict[str | None, dict[str, str]] = {None: {}}
    lines = []
    for row in rows:
        name = names.get(row[6])
        if name is None:
            name = names[row[6]] = json.loads(row[6])
        lines.append(LineView._make((*row[:6], name, *row[7:])))
    return lines


def _with_disputes(statements: QuerySet[Statement]) -> QuerySet[Statement]:
    waiting = (
        LineDispute.objects.filter(statement=OuterRef("pk"), state=LineDispute.State.OPEN)
        .order_by()
        .values("statement")
        .annotate(n=Count("pk"))
        .values("n")
    )
    return statements.annotate(open_disputes=Subquery(waiting))
