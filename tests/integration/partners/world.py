"""Makers of partners, offerings and redemptions for the tests of this wing."""

from datetime import datetime, timedelta
from typing import Any

from benefits.catalogue.models import Benefit
from benefits.catalogue.operations import create_benefit, set_cost
from benefits.grants import operations as grants
from benefits.grants.models import Redemption
from core import ids
from core.actors import Actor
from members.profiles.models import Member
from members.profiles.operations import enrol
from partners.orders.models import FulfilmentOrder
from partners.orders.operations import request_order
from partners.pool.models import Offering, Partner
from partners.pool.operations import activate_partner, invite_partner, set_offering

STAFF = Actor(kind="staff", id=7, label="Kim")


class World:
    """Makes what the tests of partners need; every maker has sensible defaults."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._count = 0

    def _next(self) -> int:
        self._count += 1
        return self._count

    def benefit(self, **changes: Any) -> Benefit:
        facts: dict[str, Any] = {
            "code": f"care-{self._next()}",
            "kind": "partner_service",
            "name": {"en": "Hand care"},
            "channel": "partner",
            "stage": "core",
            "sla_hours": 72,
            "parameters": {},
        }
        benefit = create_benefit(**{**facts, **changes}, by=STAFF, at=self.at)
        set_cost(
            benefit=benefit,
            unit_cost_minor=300,
            valid_from=self.at.date() - timedelta(days=30),
            by=STAFF,
            at=self.at,
        )
        return benefit

    def member(self, region: str = "cn/gd") -> Member:
        return enrol(external_id=f"m-{self._next()}", region=region, at=self.at, by=STAFF)

    def partner(self, code: str = "") -> Partner:
        code = code or f"partner-{self._next()}"
        partner = invite_partner(code=code, name=code.title(), by=STAFF, at=self.at)
        return activate_partner(partner=partner, by=STAFF, at=self.at)

    def offering(
        self, benefit: Benefit, partner: Partner | None = None, **changes: Any
    ) -> Offering:
        facts: dict[str, Any] = {"price_minor": 5_000, "capacity_per_day": 3, "regions": ["cn/gd"]}
        return set_offering(
            partner=partner or self.partner(),
            benefit=benefit,
            **{**facts, **changes},
            by=STAFF,
            at=self.at,
        )

    def redemption(
        self, benefit: Benefit, member: Member | None = None, **facts: Any
    ) -> Redemption:
        member = member or self.member()
        number = self._next()
        grants.grant(
            member=member,
            benefit=benefit,
            quantity=1,
            period_key=f"test-{number}",
            starts_at=self.at - timedelta(days=1),
            ends_at=self.at + timedelta(days=60),
            reason={"code": "manual"},
            by=STAFF,
            at=self.at,
        )
        return grants.redeem(
            member=member,
            benefit_code=benefit.code,
            key=ids.uuid7(),
            by=Actor(kind="member", id=member.pk),
            at=self.at,
            **facts,
        )

    def order(self, benefit: Benefit, **facts: Any) -> FulfilmentOrder:
        redemption = self.redemption(benefit, **facts)
        order = request_order(redemption_id=redemption.pk, at=self.at)
        assert order is not None
        return order


def by(partner_id: int | None) -> Actor:
    """Return the actor of a partner's call."""
    return Actor(kind="partner", id=partner_id, label="key")
