"""Periodic services: when one falls due again, and telling members who have not booked."""

from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from benefits.catalogue.models import Benefit
from core import clock
from tenants.brands.context import current_brand
from tenants.events.operations import emit_many
from tenants.jobs.registry import JobRun

_PART = 5_000
# Of each member and service the right that ends first. It falls due so many months after the last
# service (the last day of a shorter month counts), at the latest on the last day of the right, and
# on its first when it has been overdue before; who never had the service, on the last day.
_DUE = """
SELECT held.id, held.member_id, held.code, held.ends_at, held.remind_days, held.reminded_for,
       GREATEST(held.first_day, LEAST(
           held.last_day,
           (COALESCE(done.on_day,
                     CASE WHEN held.last_day IS NULL THEN held.first_day END)
            + make_interval(months => held.every_months))::date
       )) AS due_on
  FROM (
    SELECT DISTINCT ON (g.member_id, g.benefit_id)
           g.id, g.member_id, g.benefit_id, b.code, g.ends_at, g.reminded_for,
           (g.starts_at AT TIME ZONE %(zone)s)::date AS first_day,
           ((g.ends_at AT TIME ZONE %(zone)s) - interval '1 microsecond')::date AS last_day,
           (t.content #>> '{{parameters,every_months}}')::int AS every_months,
           COALESCE((t.content #>> '{{parameters,remind_days}}')::int, 14) AS remind_days
      FROM benefits_grant g
      JOIN benefits_benefit b ON b.id = g.benefit_id
      JOIN benefits_grantterms t ON t.id = g.terms_id
      JOIN members_member m ON m.id = g.member_id AND m.status = 'active'
     WHERE g.benefit_id = ANY(%(benefits)s) AND {only} AND g.revoked_at IS NULL
       AND g.used < g.quantity AND g.starts_at <= %(at)s
       AND (g.ends_at IS NULL OR g.ends_at > %(at)s)
     ORDER BY g.member_id, g.benefit_id, g.ends_at NULLS LAST, g.id
  ) AS held
  LEFT JOIN LATERAL (
    SELECT max(r.fulfilled_at AT TIME ZONE %(zone)s)::date AS on_day FROM benefits_redemption r
     WHERE r.member_id = held.member_id AND r.benefit_id = held.benefit_id
       AND r.state = 'fulfilled'
  ) AS done ON TRUE
 WHERE NOT EXISTS (SELECT 1 FROM benefits_redemption r
                    WHERE r.member_id = held.member_id AND r.benefit_id = held.benefit_id
                      AND r.state IN ('requested', 'confirmed'))
"""
_MARK = """
WITH due AS MATERIALIZED (
    SELECT * FROM ({due}) AS all_due
     WHERE due_on - remind_days <= %(today)s AND reminded_for IS DISTINCT FROM due_on
     ORDER BY id LIMIT %(part)s
)
UPDATE benefits_grant g SET reminded_for = due.due_on
  FROM due WHERE g.id = due.id AND g.reminded_for IS DISTINCT FROM due.due_on
RETURNING g.id, g.member_id, due.code, due.due_on, g.ends_at
"""


def remind_services(run: JobRun) -> None:
    """Job `grants.remind_services`: say `grant.service_due` once for each time one falls due.

    To members who may use the service and have not booked it. In parts; again, nobody is told.
    """
    told = 0
    while True:
        with transaction.atomic():
            part = _mark_part(run.at)
            told += part
            if part < _PART:
                run.complete({"reminded": told})
                return
        run.progress(told, told)


def list_services_due(*, member_id: int, at: datetime) -> dict[int, date]:
    """Return when each periodic service of a member falls due, by right; booked ones are not in.

    Only what the member may use now, and what is near enough to be reminded of.
    """
    parameters = _parameters(at)
    if not parameters["benefits"]:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, due_on FROM ("  # noqa: S608 - a constant
            + _DUE.format(only="g.member_id = %(member)s")
            + ") AS all_due WHERE due_on - remind_days <= %(today)s",
            {**parameters, "member": member_id},
        )
        return dict(cursor.fetchall())


def _mark_part(at: datetime) -> int:
    parameters = _parameters(at)
    if not parameters["benefits"]:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_MARK.format(due=_DUE.format(only="TRUE")), {**parameters, "part": _PART})
        rows = cursor.fetchall()
    return emit_many(
        type="grant.service_due",
        events=[
            (
                f"member:{member_id}",
                {
                    "member_id": member_id,
                    "grant": grant_id,
                    "benefit": code,
                    "due_on": due_on.isoformat(),
                    "ends_at": None if ends_at is None else ends_at.isoformat(),
                },
            )
            for grant_id, member_id, code, due_on, ends_at in sorted(rows)
        ],
        at=at,
    )


def _parameters(at: datetime) -> dict[str, Any]:
    zone = current_brand().timezone
    services = Benefit.objects.filter(kind="periodic_service").values_list("pk", flat=True)
    return {
        "at": at,
        "zone": zone,
        "today": clock.local_date(at, zone),
        "benefits": sorted(services),
    }
