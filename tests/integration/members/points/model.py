"""The ledger again in plain Python, written from the rules and not from the SQL.

It works as of an instant given with each call and is as slow and obvious as possible. The
stateful test plays the same random story to it and to the product.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
GRACE_DAYS = 30


class RefusedError(Exception):
    """The model refuses; `code` is the product's error code, `number` what it tells with it."""

    def __init__(self, code: str, number: int | str | None = None) -> None:
        self.code, self.number = code, number
        super().__init__(code)


@dataclass
class ModelLot:
    expires_on: date
    seq: int
    available_at: datetime
    remaining: int


@dataclass
class ModelEntry:
    seq: int
    kind: str
    delta: int
    balance_after: int
    ref: int | None = None
    # For credits: the lot. For spendings: what was taken of which lots, in order.
    lot: ModelLot | None = None
    taken: list[tuple[ModelLot, int]] = field(default_factory=list)
    given_back: int = 0
    asked_back: int = 0
    clawed_back: int = 0
    shortfall: int = 0


@dataclass
class ModelHold:
    entry: ModelEntry
    amount: int
    until: datetime
    state: str = "open"


@dataclass
class ModelAccount:
    may_go_negative: bool
    debt: int = 0
    lots: list[ModelLot] = field(default_factory=list)
    entries: list[ModelEntry] = field(default_factory=list)
    holds: dict[int, ModelHold] = field(default_factory=dict)
    # What has been lost by expiry, per lot.
    expired: dict[int, int] = field(default_factory=dict)

    # --- what can be read ---------------------------------------------------------------------

    @property
    def balance(self) -> int:
        return sum(lot.remaining for lot in self.lots) - self.debt

    @property
    def held(self) -> int:
        return sum(hold.amount for hold in self.holds.values() if hold.state == "open")

    def good(self, at: datetime, *, waiting: bool = False) -> list[ModelLot]:
        today = at.astimezone(SHANGHAI).date()
        lots = [
            lot
            for lot in self.lots
            if lot.remaining and lot.expires_on >= today and (lot.available_at > at) == waiting
        ]
        return sorted(lots, key=lambda lot: (lot.expires_on, lot.seq))

    def available(self, at: datetime) -> int:
        return sum(lot.remaining for lot in self.good(at)) - self.debt

    def waiting(self, at: datetime) -> int:
        return sum(lot.remaining for lot in self.good(at, waiting=True))

    def total(self, *kinds: str) -> int:
        return sum(entry.delta for entry in self.entries if entry.kind in kinds)

    @property
    def spent(self) -> int:
        captured = sum(hold.amount for hold in self.holds.values() if hold.state == "captured")
        return captured - self.total("redeem", "reverse")

    # --- what can be done ---------------------------------------------------------------------

    def earn(
        self, amount: int, available_at: datetime, expires_on: date, kind: str = "earn"
    ) -> None:
        seq = len(self.entries) + 1
        lot = ModelLot(expires_on, seq, available_at, amount)
        self.lots.append(lot)
        paid = min(amount, self.debt)
        lot.remaining -= paid
        self.debt -= paid
        self._post(kind, amount, lot=lot)

    def spend(self, amount: int, at: datetime, kind: str = "redeem") -> ModelEntry:
        if self.available(at) < amount:
            raise RefusedError("insufficient_points", amount - max(self.available(at), 0))
        taken = self._take(amount, self.good(at))
        return self._post(kind, -amount, taken=taken)

    def hold(self, amount: int, at: datetime, until: datetime) -> None:
        entry = self.spend(amount, at, "hold")
        self.holds[entry.seq] = ModelHold(entry, amount, until)

    def capture(self, seq: int, at: datetime) -> None:
        hold = self.holds[seq]
        if hold.state != "open":
            raise RefusedError("hold_not_open", hold.state)
        if hold.until <= at:
            raise RefusedError("hold_not_open", "past_its_time")
        hold.state = "captured"
        self._post("capture", 0, ref=seq, taken=hold.entry.taken)

    def release(self, seq: int, at: datetime) -> None:
        hold = self.holds[seq]
        if hold.state != "open":
            raise RefusedError("hold_not_open", hold.state)
        hold.state = "released"
        self._give_back(hold.entry, hold.amount, at, "release")

    def reverse(self, seq: int, amount: int | None, at: datetime) -> None:
        entry = self.entries[seq - 1]
        whole = 0
        if entry.kind in {"earn", "redeem"} or (entry.kind == "adjust" and entry.ref is None):
            whole = abs(entry.delta)
        elif entry.kind == "capture":
            whole = sum(quantity for _, quantity in entry.taken)
        left = whole - entry.asked_back - entry.given_back
        if left == 0 or (amount or 0) > left:
            raise RefusedError("not_reversible", left)
        if entry.delta > 0:
            self._claw_back(entry, left if amount is None else amount, at)
        else:
            kind = "adjust" if entry.kind == "adjust" else "reverse"
            self._give_back(entry, left if amount is None else amount, at, kind)

    def expire(self, at: datetime) -> int:
        today = at.astimezone(SHANGHAI).date()
        due = [lot for lot in self.lots if lot.remaining and lot.expires_on < today]
        points = sum(lot.remaining for lot in due)
        for lot in due:
            self.expired[lot.seq] = self.expired.get(lot.seq, 0) + lot.remaining
            lot.remaining = 0
        if due:
            self._post("expire", -points)
        return points

    # --- inside -------------------------------------------------------------------------------

    def _post(
        self,
        kind: str,
        delta: int,
        *,
        ref: int | None = None,
        lot: ModelLot | None = None,
        taken: list[tuple[ModelLot, int]] | None = None,
    ) -> ModelEntry:
        entry = ModelEntry(
            len(self.entries) + 1, kind, delta, self.balance, ref, lot, list(taken or [])
        )
        self.entries.append(entry)
        return entry

    @staticmethod
    def _take(amount: int, lots: list[ModelLot]) -> list[tuple[ModelLot, int]]:
        taken = []
        for lot in lots:
            quantity = min(amount, lot.remaining)
            if quantity:
                lot.remaining -= quantity
                amount -= quantity
                taken.append((lot, quantity))
        return taken

    def _give_back(self, entry: ModelEntry, amount: int, at: datetime, kind: str) -> None:
        today = at.astimezone(SHANGHAI).date()
        # One by one, the last point taken first: slow, but there is no way to get it wrong.
        points = [lot for lot, quantity in entry.taken for _ in range(quantity)]
        points = points[: len(points) - entry.given_back]
        late = 0
        for lot in points[len(points) - amount :]:
            if lot.expires_on >= today:
                lot.remaining += 1
            else:
                late += 1
        if late:
            seq = len(self.entries) + 1
            self.lots.append(ModelLot(today + timedelta(days=GRACE_DAYS), seq, at, late))
        entry.given_back += amount
        paid = min(self.debt, amount)
        self._take(paid, self.good(at))
        self.debt -= paid
        self._post(kind, amount, ref=entry.seq)

    def _claw_back(self, entry: ModelEntry, amount: int, at: datetime) -> None:
        lot = entry.lot
        assert lot is not None
        owed = min(amount, entry.delta - self.expired.get(lot.seq, 0) - entry.clawed_back)
        owed = max(owed, 0)
        missing = owed - sum(quantity for _, quantity in self._take(owed, [lot]))
        if missing:
            self.expire(at)
            for lots in (self.good(at), self.good(at, waiting=True)):
                missing -= sum(quantity for _, quantity in self._take(missing, lots))
        if self.may_go_negative:
            self.debt += missing
            missing = 0
        claimed = owed - missing
        entry.asked_back += amount
        entry.clawed_back += claimed
        posted = self._post(
            "adjust" if entry.kind == "adjust" else "clawback", -claimed, ref=entry.seq
        )
        posted.shortfall = amount - claimed
