"""A person of whom every room knows something, and a search for them in every column."""

import json
from datetime import date, datetime, timedelta

from django.contrib.sessions.models import Session
from django.db import connection

from benefits.grants import operations as grants
from benefits.mall.operations import complete_order, confirm_order, ship_order
from core import ids
from core.actors import Actor
from members.activity.operations import record_event
from members.earning.operations import record_purchase
from members.points.operations import adjust
from members.profiles import attribute_operations
from members.profiles.models import Member
from members.profiles.operations import enrol, update_profile
from partners.orders import operations as orders
from tenants.accounts.registry import ensure_user
from tests.integration.benefits.world import World as BenefitWorld
from tests.integration.partners.world import World as PartnerWorld
from tests.integration.partners.world import by as by_partner

STAFF = Actor(kind="staff", id=7, label="Kim")
VALUES = {
    "external_id": "CUST-77812",
    "name": "欧阳晓明",
    "email": "ouyang@example.net",
    "phone": "+8613955501234",
    "address": "东湖路八十八号",
    "attribute": "peanut allergy",
    "property": "hates-the-smell-of-roses",
    "note": "ring twice at the green door",
    "comment": "the masseur was called Anna",
    "reason": "nobody opened the green door",
}
_COLUMNS = """
    SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'
      AND (c.data_type IN ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY')
           OR c.data_type = 'date')
"""


def make_person(at: datetime) -> Member:
    """Return a member with something in every room."""
    attribute_operations.define_attribute(
        code="allergy", type="text", label={"en": "Allergy"}, by=STAFF, at=at
    )
    member = enrol(
        external_id=VALUES["external_id"],
        name=VALUES["name"],
        email=VALUES["email"],
        phone=VALUES["phone"],
        birthday=date(1991, 4, 9),
        gender="f",
        region="cn/gd",
        tags=["vip"],
        attributes={"allergy": VALUES["attribute"]},
        consents={"email": True},
        at=at - timedelta(days=9),
        by=STAFF,
    )
    user = ensure_user(VALUES["email"])
    assert user is not None
    member.refresh_from_db()
    update_profile(member=member, gender="female", by=STAFF, at=at)
    record_purchase(
        external_id="P-1",
        member=member,
        occurred_at=at - timedelta(days=1),
        amount_minor=12_345,
        currency="CNY",
        by=STAFF,
        at=at,
    )
    record_event(
        member=member,
        name="survey",
        occurred_at=at,
        at=at,
        properties={"answer": VALUES["property"], "to": VALUES["email"]},
    )
    adjust(
        owner_id=member.pk,
        amount=5_000,
        reason="goodwill",
        key=ids.uuid7(),
        by=STAFF,
        at=at - timedelta(hours=1),
    )
    _use_benefits(member, at)
    return Member.objects.get(pk=member.pk)


def _use_benefits(member: Member, at: datetime) -> None:
    world = BenefitWorld(at)
    redemption = world.redeem(member, world.grant(member, world.benefit()), note=VALUES["note"])
    grants.confirm(redemption=redemption, by=STAFF, at=at)
    grants.fulfil(redemption=redemption, by=STAFF, at=at)
    grants.rate(
        redemption=redemption,
        rating=2,
        comment=VALUES["comment"],
        by=Actor(kind="member", id=member.pk),
        at=at,
    )
    address = {"recipient": VALUES["name"], "phone": VALUES["phone"], "lines": VALUES["address"]}
    order = world.order(member, world.item(), address=address)
    confirm_order(order=order, by=STAFF, at=at)
    ship_order(order=order, by=STAFF, at=at, tracking="SF-99120-ouyang")
    complete_order(order=order, by=STAFF, at=at)
    partners = PartnerWorld(at)
    care = partners.benefit()
    partner = partners.partner()
    partners.offering(care, partner)
    delivery = partners.order(care, member=member)
    orders.accept(order=delivery, partner_id=partner.pk, by=by_partner(partner.pk), at=at)
    orders.fail(
        order=delivery,
        reason=VALUES["reason"],
        partner_id=partner.pk,
        by=by_partner(partner.pk),
        at=at,
    )


def where_found(values: list[str]) -> list[str]:
    """Return each column of the brand's schema, and of its jobs, that holds one of the values."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS)
        columns = cursor.fetchall()
        for table, column, kind in columns:
            # Bytes that are text, such as stored answers, are read as text.
            text = (
                f"convert_from(decode(replace(encode(\"{column}\", 'hex'), '00', '20'), 'hex'), "
                "'LATIN1')"
                if kind == "bytea"
                else f'"{column}"::text'
            )
            cursor.execute(f'SELECT {text} FROM "{table}" WHERE "{column}" IS NOT NULL')
            cells = "\n".join(cell for (cell,) in cursor.fetchall()).lower()
            for value in values:
                wanted = json.dumps(value, ensure_ascii=False)[1:-1].lower()
                if kind == "bytea":
                    wanted = wanted.encode().decode("latin1")
                if wanted in cells:
                    found.append(f"{table}.{column}: {value}")
        cursor.execute("SELECT parameters::text, result::text, error FROM public.jobs_job")
        jobs = json.dumps(cursor.fetchall(), ensure_ascii=False)
    found += [f"jobs: {value}" for value in values if value in jobs]
    for session in Session.objects.all():
        content = json.dumps(session.get_decoded(), ensure_ascii=False)
        found += [f"session: {value}" for value in values if value in content]
    return sorted(found)
