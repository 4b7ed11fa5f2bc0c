"""A brand with two members and one of everything that the portal shows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from benefits.grants.models import Grant, Redemption
from benefits.mall.models import MallItem, MallOrder
from core import clock
from members.profiles.models import Member
from members.tiers import operations as tiers
from members.tiers.values import TierDraft
from partners.pool.models import Offering
from tenants.accounts.registry import ensure_user
from tenants.brands.models import Brand
from tests.integration.benefits.world import STAFF
from tests.integration.benefits.world import World as BenefitsWorld
from tests.integration.partners.world import World as PartnersWorld


def url(name: str, *args: str | int | UUID) -> str:
    """Return a page's address."""
    return reverse(f"portal:{name}", args=args)


@dataclass
class Portal:
    """What exists, and who looks at it: Ann has everything, Bea nothing."""

    at: datetime
    benefits: BenefitsWorld
    ann: Member
    bea: Member
    tea: Grant
    care: Grant
    offering: Offering
    towel: MallItem
    redemption: Redemption
    order: MallOrder
    sign_in: Callable[[Member], Client]

    @property
    def client(self) -> Client:
        """Return Ann's browser."""
        return self.sign_in(self.ann)


def _tiers(at: datetime) -> None:
    scheme = tiers.create_scheme(
        metric="growth",
        window="rolling",
        window_months=12,
        tiers=[
            TierDraft(code="silver", name={"en": "Silver"}, entry_threshold=0, keep_threshold=0),
            TierDraft(code="gold", name={"en": "Gold"}, entry_threshold=500, keep_threshold=400),
        ],
        by=STAFF,
        at=at,
    )
    tiers.publish_scheme(
        scheme=scheme, starts_on=clock.local_date(at, "Asia/Shanghai"), by=STAFF, at=at
    )


@pytest.fixture
def portal(brand: Brand, at: datetime, client_for: Callable[[Brand], Client]) -> Iterator[Portal]:
    """Return the set-up inside `brand`, with the clock set."""

    def sign_in(member: Member) -> Client:
        user = ensure_user(f"{member.external_id}@example.com")
        assert user is not None
        client = client_for(brand)
        client.force_login(user)
        return client

    world, partners = BenefitsWorld(at), PartnersWorld(at - timedelta(days=2))
    with clock.at(at):
        _tiers(at - timedelta(days=30))
        ann = world.member(external_id="ann", email="ann@example.com", region="cn/gd", name="Ann")
        bea = world.member(external_id="bea", email="bea@example.com", region="cn/gd", name="Bea")
        tea = world.grant(ann, world.benefit(code="tea", summary={"en": "Two kinds"}), quantity=3)
        hands = partners.benefit(code="care", list_price_minor=39_800)
        offering = partners.offering(hands)
        care = world.grant(ann, hands)
        world.benefit(code="lounge", name={"en": "Lounge"})
        world.points(ann, 1_000)
        towel = world.item(code="towel", per_member_limit=2)
        world.item(code="robe", name={"en": "Robe"}, points=5_000)
        redemption = world.redeem(ann, tea)
        order = world.order(ann, towel)
        yield Portal(at, world, ann, bea, tea, care, offering, towel, redemption, order, sign_in)
