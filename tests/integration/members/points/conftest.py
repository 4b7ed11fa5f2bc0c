"""What the tests of the ledger share."""

import uuid
from datetime import date, datetime
from typing import Any

import pytest

from members.points import operations as points
from members.points.invariants import CHECKS
from members.points.models import Account, Entry, Hold, Lot, Wallet
from tenants.brands.models import Brand

OWNER = 7
SOURCE = points.Source("test", 1)


class Ledger:
    """One owner's points account, with short ways to use it at a fixed instant."""

    def __init__(self, at: datetime, schema_name: str) -> None:
        self.at = at
        self.schema_name = schema_name

    def earn(self, amount: int, expires_on: date | None = None, **given: Any) -> points.Posting:
        given = {"key": uuid.uuid4(), "at": self.at, "source": SOURCE, **given}
        return points.earn(owner_id=OWNER, amount=amount, expires_on=expires_on, **given)

    def redeem(self, amount: int, **given: Any) -> points.Posting:
        given = {"key": uuid.uuid4(), "at": self.at, "source": SOURCE, **given}
        return points.redeem(owner_id=OWNER, amount=amount, **given)

    def hold(self, amount: int, until: datetime | None = None, **given: Any) -> points.Posting:
        given = {"key": uuid.uuid4(), "at": self.at, "source": SOURCE, **given}
        return points.hold(owner_id=OWNER, amount=amount, until=until, **given)

    def end(self, operation: str, hold: points.Posting, **given: Any) -> points.Posting:
        given = {"key": uuid.uuid4(), "at": self.at, "source": SOURCE, **given}
        done: points.Posting = getattr(points, operation)(hold_ref=hold.ref, **given)
        return done

    def reverse(self, posting: points.Posting, **given: Any) -> points.Posting:
        given = {"key": uuid.uuid4(), "at": self.at, "source": SOURCE, **given}
        return points.reverse(entry_ref=posting.ref, **given)

    def rules(self, **rules: Any) -> None:
        Wallet.objects.filter(id=1).update(**rules)

    @property
    def account(self) -> Account:
        return Account.objects.get(owner_id=OWNER, wallet_id=1)

    @property
    def lots(self) -> list[tuple[date, int, int]]:
        """Last good day, number and what is left, of every lot ever, in the order of spending."""
        lots = Lot.objects.filter(account=self.account).order_by("expires_on", "seq")
        return list(lots.values_list("expires_on", "seq", "remaining"))

    def snapshot(self) -> Any:
        """Return all that a posting could change."""
        return [
            list(model.objects.order_by("pk").values_list())
            for model in (Account, Lot, Entry, Hold)
        ]


@pytest.fixture
def ledger(brand: Brand, at: datetime) -> Ledger:
    """Return the account of one owner in the wallet `points`, empty."""
    points.open_accounts(owner_id=OWNER, at=at)
    return Ledger(at, brand.schema_name)


@pytest.fixture(autouse=True)
def _invariants_at_the_end(request: pytest.FixtureRequest) -> Any:
    """Check the invariants after every test that used the ledger."""
    if "ledger" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("ledger")
    yield
    assert {name: found for name, check in CHECKS.items() if (found := check())} == {}
