"""The ledger again in plain Python, written from the rules and not from the SQL.

It works as of an instant given with each call and is as slow and obvious as possible. The
stateful test plays the same random story to it and to the product.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
GRACE_DAYS = 30
WHILE_ACTIVE = date(9999, 12, 30)


def local(at: datetime) -> date:
    return at.astimezone(SHANGHAI).date()


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day: counted on the fingers."""
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    last = day.day
    while True:
        try:
            return date(year, month, last)
        except ValueError:
            last -= 1


@dataclass(frozen=True)
class Rules:
    """The wallet's rules that the story is played under."""

    may_go_negative: bool = False
    recover_percent: int = 0
    balance_cap: int | None = None
    day_cap: int | None = None
    month_cap: int | None = None
    cap_policy: str = "cut"
    idle_months: int = 0
    transfer_min: int = 1
    transfer_points: int | None = None
    transfer_count: int | None = None


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
    cut: int = 0
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
    rules: Rules
    debt: int = 0
    owed: int = 0
    good_until: date | None = None
    idle_months: int | None = None
    earned: dict[date, int] = field(default_factory=dict)
    # Points and number of transfers of each day.
    passed_on: dict[date, list[int]] = field(default_factory=dict)
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
            if lot.remaining
            and (lot.available_at > at) == waiting
            and (
                self.is_active(today) if lot.expires_on == WHILE_ACTIVE else lot.expires_on >= today
            )
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

    def is_active(self, today: date) -> bool:
        return self.good_until is not None and self.good_until >= today

    # --- what can be done ---------------------------------------------------------------------

    def earn(
        self,
        amount: int,
        available_at: datetime,
        expires_on: date,
        kind: str = "earn",
        *,
        at: datetime,
    ) -> None:
        today = local(at)
        if self.good_until is not None and self.good_until < today:
            self.expire(at)
        if expires_on == WHILE_ACTIVE and (kind == "earn" or self.good_until is None):
            self.idle_months = self.rules.idle_months
            new = add_months(today, self.rules.idle_months)
            self.good_until = max(self.good_until or new, new)
        elif kind == "earn":
            self._extend(today)
        given = amount if kind == "adjust" else self._fits(amount, today)
        lot = None
        if given:
            lot = ModelLot(expires_on, len(self.entries) + 1, available_at, given)
            self.lots.append(lot)
            paid = min(given, self.debt)
            lot.remaining -= paid
            self.debt -= paid
        posted = self._post(kind, given, lot=lot)
        posted.cut = posted.shortfall = amount - given
        if lot is not None and lot.remaining and kind == "earn" and self.rules.recover_percent:
            share = max(given * self.rules.recover_percent // 100, 1)
            self._recover(self._take(min(self.owed, share), [lot]))

    def _fits(self, amount: int, today: date) -> int:
        rules = self.rules
        room = [amount]
        if rules.balance_cap is not None:
            room.append(rules.balance_cap - self.balance - self.held)
        if rules.day_cap is not None:
            room.append(rules.day_cap - self.earned.get(today, 0))
        if rules.month_cap is not None:
            month = [n for day, n in self.earned.items() if day.strftime("%Y%m") == f"{today:%Y%m}"]
            room.append(rules.month_cap - sum(month))
        given = max(min(room), 0)
        if given < amount and rules.cap_policy == "refuse":
            given = 0
        if rules.day_cap is not None or rules.month_cap is not None:
            self.earned[today] = self.earned.get(today, 0) + given
        return given

    def _extend(self, today: date) -> None:
        if self.good_until is not None and self.good_until >= today:
            assert self.idle_months is not None
            self.good_until = max(self.good_until, add_months(today, self.idle_months))

    def _recover(self, taken: list[tuple[ModelLot, int]]) -> None:
        points = sum(quantity for _, quantity in taken)
        self.owed -= points
        if points:
            self._post("recover", -points)

    def transfer(self, other: "ModelAccount", amount: int, at: datetime) -> None:
        today, rules = local(at), self.rules
        lapsed = [lot for lot in other.lots if lot.expires_on == WHILE_ACTIVE and lot.remaining]
        if other.good_until is None or other.good_until >= today:
            lapsed = []
        has = other.balance - sum(lot.remaining for lot in lapsed)
        done = self.passed_on.get(today, [])
        if amount < rules.transfer_min:
            raise RefusedError("transfer_too_small")
        if rules.transfer_count is not None and len(done) >= rules.transfer_count:
            raise RefusedError("transfer_limit")
        if rules.transfer_points is not None and sum(done) + amount > rules.transfer_points:
            raise RefusedError("transfer_limit")
        if self.owed:
            raise RefusedError("sender_owes")
        if has < 0:
            raise RefusedError("receiver_owes")
        if rules.balance_cap is not None and has + other.held + amount > rules.balance_cap:
            raise RefusedError("receiver_full")
        if self.available(at) < amount:
            raise RefusedError("insufficient_points")
        taken = self._take(amount, self.good(at))
        self._extend(today)
        if other.good_until is not None and other.good_until < today:
            other.expire(at)
        for expires_on in sorted({lot.expires_on for lot, _ in taken}):
            quantity = sum(q for lot, q in taken if lot.expires_on == expires_on)
            other.lots.append(ModelLot(expires_on, len(other.entries) + 1, at, quantity))
            if expires_on == WHILE_ACTIVE:
                assert self.good_until is not None
                other.good_until = max(other.good_until or self.good_until, self.good_until)
                other.idle_months = other.idle_months or self.idle_months
        other._post("transfer", amount)
        self.passed_on[today] = [*done, amount]
        self._post("transfer", -amount, taken=taken)

    def spend(self, amount: int, at: datetime, kind: str = "redeem") -> ModelEntry:
        if self.available(at) < amount:
            raise RefusedError("insufficient_points", amount - max(self.available(at), 0))
        taken = self._take(amount, self.good(at))
        if kind != "adjust":
            self._extend(local(at))
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
            whole = abs(entry.delta) + entry.cut
        elif entry.kind == "capture":
            whole = sum(quantity for _, quantity in entry.taken)
        left = whole - entry.asked_back - entry.given_back
        if left == 0 or (amount or 0) > left:
            raise RefusedError("not_reversible", left)
        if entry.delta > 0 or entry.kind == "earn":
            self._claw_back(entry, left if amount is None else amount, at)
        else:
            kind = "adjust" if entry.kind == "adjust" else "reverse"
            self._give_back(entry, left if amount is None else amount, at, kind)

    def expire(self, at: datetime) -> int:
        today = local(at)
        is_idle = self.good_until is not None and self.good_until < today
        due = [
            lot
            for lot in self.lots
            if lot.remaining
            and (is_idle if lot.expires_on == WHILE_ACTIVE else lot.expires_on < today)
        ]
        points = sum(lot.remaining for lot in due)
        for lot in due:
            self.expired[lot.seq] = self.expired.get(lot.seq, 0) + lot.remaining
            lot.remaining = 0
        if due:
            self._post("expire", -points)
        if is_idle:
            self.good_until = self.idle_months = None
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
            if self.is_active(today) if lot.expires_on == WHILE_ACTIVE else lot.expires_on >= today:
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
        self._recover(self._take(min(self.owed, amount), self.good(at)))

    def _claw_back(self, entry: ModelEntry, amount: int, at: datetime) -> None:
        never_given = min(amount, max(entry.cut - entry.asked_back, 0))
        owed = 0
        if amount > never_given:
            lot = entry.lot
            assert lot is not None
            lost = self.expired.get(lot.seq, 0)
            owed = min(amount - never_given, entry.delta - lost - entry.clawed_back)
            owed = max(owed, 0)
            missing = owed - sum(quantity for _, quantity in self._take(owed, [lot]))
            if missing:
                self.expire(at)
                for lots in (self.good(at), self.good(at, waiting=True)):
                    missing -= sum(quantity for _, quantity in self._take(missing, lots))
            if self.rules.may_go_negative:
                self.debt += missing
                missing = 0
            elif self.rules.recover_percent:
                self.owed += missing
            owed -= missing
        entry.asked_back += amount
        entry.clawed_back += owed
        posted = self._post(
            "adjust" if entry.kind == "adjust" else "clawback", -owed, ref=entry.seq
        )
        posted.shortfall = amount - owed
