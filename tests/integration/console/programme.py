"""One of everything the programme's pages show, for their tests."""

from datetime import datetime
from typing import Any

from benefits.catalogue.codes import create_pool
from benefits.catalogue.operations import create_package
from benefits.grants.models import Redemption
from benefits.mall.draws.operations import PrizeDraft, create_draw, open_draw
from benefits.mall.models import MallOrder
from partners.orders.models import FulfilmentOrder
from partners.pool.models import Offering
from tests.integration.benefits.world import STAFF
from tests.integration.benefits.world import World as BenefitsWorld
from tests.integration.partners.world import World as PartnersWorld


class Programme:
    """Makers for benefits, rules, mall orders and fulfilment orders inside one brand."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.benefits = BenefitsWorld(at)
        self.partners = PartnersWorld(at)
        self._count = 0

    def redemption(self, code: str, **facts: Any) -> Redemption:
        """Return an open redemption of a new benefit that staff carry out."""
        return self.benefits.redemption(code=code, **facts)

    def mall_order(self, code: str) -> MallOrder:
        """Return an order that waits for staff to confirm it."""
        member = self.benefits.member(external_id=f"buyer-{code}")
        self.benefits.points(member, 1_000)
        item = self.benefits.item(code=code)
        return self.benefits.order(member, item)

    def order(self, *, offered: bool = True) -> FulfilmentOrder:
        """Return an order that a partner was offered, or one that nobody takes."""
        benefit = self.partners.benefit()
        if offered:
            self.offering(benefit)
        return self.partners.order(benefit)

    def offering(self, benefit: Any = None, **facts: Any) -> Offering:
        """Return what a new partner offers."""
        return self.partners.offering(benefit or self.partners.benefit(), **facts)

    def package(self, code: str) -> Any:
        """Return a package of one new benefit."""
        return create_package(
            code=code,
            name={"en": "Welcome box"},
            items=[(self.benefits.benefit(), 2)],
            by=STAFF,
            at=self.at,
        )

    def pool(self, code: str) -> Any:
        """Return an empty pool of codes."""
        return create_pool(code=code, name=code.title(), low_at=3, by=STAFF, at=self.at)

    def draw(self, code: str) -> Any:
        """Return an open lucky draw with one prize."""
        made = create_draw(
            code=code,
            name={"en": code.title()},
            points=10,
            prizes=[
                PrizeDraft(
                    kind="nothing", name={"en": "A smile"}, weight=1_000_000, is_fallback=True
                )
            ],
            by=STAFF,
            at=self.at,
        )
        return open_draw(draw=made, by=STAFF, at=self.at)
