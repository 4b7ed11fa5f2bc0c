"""Members with a life, for the tests of the console's pages about them."""

from datetime import date, timedelta
from typing import Any

from benefits.grants.models import Grant
from core.actors import SYSTEM
from core.ids import uuid7
from members.activity.operations import Line
from members.earning.operations import record_purchase, record_refund
from members.earning.rule_operations import activate_rule, create_rule
from members.points.operations import adjust
from members.profiles.models import Member
from members.profiles.operations import enrol
from members.segments.operations import recompute_scores
from members.tiers.operations import create_scheme, publish_scheme
from members.tiers.values import TierDraft
from tests.integration.benefits.world import World

DRAFTS = (
    TierDraft(code="basic", name={"en": "Basic"}, entry_threshold=0, keep_threshold=0),
    TierDraft(
        code="gold",
        name={"en": "Gold"},
        entry_threshold=500,
        keep_threshold=400,
        multiplier_bp=15_000,
        grace_days=10,
    ),
)


class MembersWorld(World):
    """Makes a programme with two tiers and one earning rule, and members who buy."""

    def programme(self) -> None:
        """Put two tiers and “1 point per 1 CNY” in force."""
        before = self.at - timedelta(days=60)
        scheme = create_scheme(
            metric="growth", window="rolling", window_months=12, tiers=DRAFTS, by=SYSTEM, at=before
        )
        publish_scheme(scheme=scheme, starts_on=date(2026, 1, 20), by=SYSTEM, at=before)
        rule = create_rule(
            name="One for one", effect="per_unit", points=1, unit_minor=100, by=SYSTEM, at=before
        )
        activate_rule(rule_id=rule.pk, by=SYSTEM, at=before)

    def buyer(self, amount_minor: int = 60_000, **fields: Any) -> Member:
        """Return a member who bought once, ten days ago: with 600 growth and points, Gold."""
        number = self.next()
        facts: dict[str, Any] = {
            "external_id": f"b-{number}",
            "name": f"Ann Lee {number}",
            "email": f"ann{number}@example.com",
            "phone": f"+86138000{number:05}",
            "region": "cn/sh",
        }
        member = enrol(**{**facts, **fields}, by=SYSTEM, at=self.at - timedelta(days=30))
        record_purchase(
            external_id=f"order-{number}",
            member=member,
            occurred_at=self.at - timedelta(days=10),
            amount_minor=amount_minor,
            currency="CNY",
            channel="online",
            lines=[Line(sku="tea", category="drinks", quantity=2, amount_minor=amount_minor)],
            by=SYSTEM,
            at=self.at - timedelta(days=10),
        )
        return member

    def life(self) -> tuple[Member, Grant]:
        """Return a member to whom everything happened once, and a grant that can be taken back."""
        self.programme()
        member = self.buyer()
        purchase = member.purchases.get()
        record_refund(
            purchase_external_id=purchase.external_id,
            external_id="back-1",
            amount_minor=5_000,
            occurred_at=self.at - timedelta(days=5),
            by=SYSTEM,
            at=self.at - timedelta(days=5),
        )
        adjust(
            owner_id=member.pk, amount=30, reason="Sorry for the wait", key=uuid7(), by=SYSTEM,
            at=self.at - timedelta(days=1),
        )  # fmt: skip
        grant = self.grant(member, self.benefit(), quantity=2)
        self.redeem(member, grant)
        recompute_scores(on=date(2026, 3, 15), at=self.at)
        return member, grant
