"""A year of a demo brand, month by month: purchases, grants, uses, orders, facts."""

import csv
import random
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from benefits.budget import operations as budget
from benefits.budget.jobs import take_snapshot
from benefits.budget.points_cost import accrue_points
from benefits.catalogue.models import Benefit
from benefits.grants import operations as grants
from benefits.grants.issuing import issue
from benefits.grants.models import Grant, Redemption
from benefits.grants.periods import rule_start
from benefits.grants.popularity import count_popularity
from benefits.insights.facts import compute_month
from benefits.insights.models import Alert
from benefits.insights.months import first_of
from benefits.insights.operations import check_alerts, close_alert
from benefits.mall import operations as mall
from benefits.mall.queries import list_items
from benefits.rules.periods import ISSUED_BY_JOB, period_on
from benefits.rules.queries import list_rules_in_force
from config.demo import budgets, desk, member_data, memberships, officers
from config.demo.appointments import open_calendars
from config.demo.catalogue_extras import fill_shelves
from config.demo.earning import keep_birthdays, open_earning
from config.demo.mall_extras import liven_up
from config.demo.people import Bought, Person, cdnow, people, purchases
from config.demo.programme import BUDGET_MONTHS_BACK, Programme, begin, launch, open_pilot
from config.demo.segments import add_segments
from config.demo.settling import agree_terms, settle
from config.demo.specs import BrandSpec
from core import clock
from core.actors import SYSTEM, Actor
from core.errors import DomainError
from core.ids import derived_uuid
from core.money import exponent
from members.activity.imports.run import ImportOptions, import_purchases
from members.points.operations import activate_chunk, expire_chunk
from members.profiles.models import Member
from members.profiles.operations import enrol
from members.segments.operations import recompute_scores
from members.tiers.operations import evaluate_range
from partners.orders import operations as orders
from partners.orders.errors import OrderNotFoundError
from partners.orders.models import FulfilmentOrder
from partners.orders.queries import get_order
from partners.pool.errors import NoCapacityError
from tenants.audit.operations import seal
from tenants.events.operations import deliver_pending
from tenants.jobs.operations import run_pending

Report = Callable[[int, int], None]
MALL_ORDERS = 28
MONTHS_SOLD = 5


class Story:
    """Tells one brand's year; `now` is the instant at which it ends."""

    def __init__(self, spec: BrandSpec, *, now: datetime, report: Report) -> None:
        self.spec = spec
        self.now = now
        self.report = report
        self.zone = ZoneInfo(spec.timezone)
        self.today = clock.local_date(now, spec.timezone)
        self.rng = random.Random(f"{spec.slug} story")
        self.made = Programme()
        self.members: dict[str, Member] = {}
        self.months_live = 0

    def tell(self) -> Programme:
        """Tell all of it; returns what was set up."""
        if self.spec.cdnow:
            persons, bought = cdnow(self.spec, self.today)
        else:
            persons = people(self.spec, self.today)
            bought = purchases(self.spec, persons, self.today)
        months = self._months(min(bought[0].at.date(), persons[0].joined_on))
        launch_month = first_of(self.today, back=BUDGET_MONTHS_BACK)
        pilot_month = first_of(self.today, back=2)
        self.made = begin(self.spec, at=self._noon(months[0][0]))
        run_pending(at=self._noon(months[0][0], hour=1))
        member_data.define(self.spec.slug, at=self._noon(months[0][0], hour=1))
        for number, (start, end) in enumerate(months):
            self.report(number, len(months) + 1)
            if start == launch_month:
                at = self._noon(start, hour=1)
                launch(self.spec, self.made, at=at)
                agree_terms(self.made, on=start, at=at)
                open_earning(self.spec, self.made, today=self.today, at=at)
                desk.set_policies(self.spec, self.made, at=at)
            self._join([p for p in persons if start <= p.joined_on < end])
            if start == pilot_month:
                exit_on = first_of(self.today, back=-2)
                open_pilot(self.spec, self.made, at=self._noon(start, hour=2), exit_on=exit_on)
            if start >= launch_month:
                self._issue(start)
            self._buy([b for b in bought if start <= b.at.date() < end], end)
            self._sell(start, end)
            self._night(end)
            if start >= launch_month:
                keep_birthdays(start=start, end=end, at=self._end(end))
                self._live(start, end)
            compute_month(day=start, at=self._end(end))
        self.report(len(months), len(months) + 1)
        add_segments(
            self.spec,
            self.made,
            members=list(self.members.values()),
            now=self.now,
            today=self.today,
        )
        self._finish()
        return self.made

    # --- Time -----------------------------------------------------------------------------

    def _months(self, first: date) -> list[tuple[date, date]]:
        months = []
        start = first_of(first)
        while start <= self.today:
            after = first_of(start, back=-1)
            months.append((start, min(after, self.today)))
            start = after
        if months[-1][0] == months[-1][1]:  # the first day of a month: nothing happened yet
            months[-1] = (months[-1][0], months[-1][0] + timedelta(days=1))
        return months

    def _noon(self, day: date, *, hour: int = 0) -> datetime:
        return datetime.combine(day, time(hour, 5), tzinfo=self.zone)

    def _end(self, after: date) -> datetime:
        return min(self._noon(after), self.now)

    def _sometime(self, start: date, end: date) -> datetime:
        days = max((end - start).days, 1)
        day = start + timedelta(days=self.rng.randrange(days))
        moment = datetime.combine(
            day, time(self.rng.randint(9, 20), self.rng.randint(0, 59)), tzinfo=self.zone
        )
        return min(moment, self.now - timedelta(minutes=self.rng.randint(5, 600)))

    # --- Members and purchases ------------------------------------------------------------

    def _join(self, persons: Sequence[Person]) -> None:
        for person in persons:
            details = {
                "name": person.name,
                "email": person.email,
                "phone": person.phone,
                "birthday": person.birthday,
                "gender": person.gender,
                "region": person.region,
                "store_code": person.store,
                **member_data.details(
                    self.spec.slug, person.external_id, self._noon(person.joined_on)
                ),
            }
            with transaction.atomic():
                self.members[person.external_id] = enrol(
                    external_id=person.external_id,
                    at=self._noon(person.joined_on, hour=9),
                    by=SYSTEM,
                    **details,
                )

    def _buy(self, bought: Sequence[Bought], end: date) -> None:
        if not bought:
            return
        digits = exponent(self.spec.currency)
        with tempfile.TemporaryDirectory() as folder:
            heads, lines = Path(folder) / "purchases.csv", Path(folder) / "lines.csv"
            with heads.open("w", newline="") as out, lines.open("w", newline="") as more:
                head, line = csv.writer(out), csv.writer(more)
                head.writerow(
                    ["external_id", "member", "occurred_at", "amount", "currency", "channel",
                     "store", "associate"]
                )  # fmt: skip
                line.writerow(["purchase", "sku", "category", "quantity", "amount"])
                for one in bought:
                    amount = f"{one.amount_minor / 10**digits:.{digits}f}"
                    head.writerow(
                        [one.external_id, one.member, one.at.isoformat(), amount,
                         self.spec.currency, one.channel, one.store, one.associate]
                    )  # fmt: skip
                    sku = f"{one.category}-{sum(map(ord, one.external_id)) % 40:02d}"
                    line.writerow([one.external_id, sku, one.category, one.quantity, amount])
            import_purchases(
                purchases=heads,
                lines=lines,
                options=ImportOptions(),
                tell=_refuse,
                progress=lambda _stage, _done, _total: None,
                by=SYSTEM,
                at=max(self._end(end), bought[-1].at),
            )

    def _sell(self, start: date, end: date) -> None:
        """Sell memberships in the last months."""
        back = (self.today.year - start.year) * 12 + self.today.month - start.month
        if back >= MONTHS_SOLD:
            return
        at = self._end(end)
        if back == MONTHS_SOLD - 1:
            memberships.offer(self.spec, self.made, at=at)
        buyers = [self.members[key] for key in sorted(self.members)]
        memberships.sell(self.made, buyers, month=MONTHS_SOLD - 1 - back, at=at)
        if back == 0:
            memberships.set_by_hand(self.spec, self.made, buyers[3], at=at)
            memberships.draft(self.spec, self.made, at=at)

    def _night(self, end: date) -> None:
        at = self._end(end)
        day = clock.local_date(at, self.spec.timezone)
        while activate_chunk(at=at).accounts:
            pass
        while expire_chunk(at=at).accounts:
            pass
        memberships.settle(self.spec, at=at)
        evaluate_range(low=0, high=2**40, on=day, at=at)
        recompute_scores(on=day, at=at)
        _deliver(at)

    # --- Benefits -------------------------------------------------------------------------

    def _issue(self, start: date) -> None:
        at = self._noon(start, hour=3)
        for rule in list_rules_in_force(at=at, cadences=sorted(ISSUED_BY_JOB)):
            period = period_on(
                cadence=rule.cadence,
                on=start,
                every_months=rule.every_months,
                since=rule_start(rule),
            )
            with transaction.atomic():
                issue(rule=rule, period=period, at=at)

    def _live(self, start: date, end: date) -> None:
        usage = {benefit.code: benefit.usage for benefit in self.spec.benefits}
        until = self._end(end)
        candidates = Grant.objects.filter(
            issued_at__gte=self._noon(start), issued_at__lt=until, used=0, revoked_at__isnull=True
        ).select_related("benefit", "member")
        running = end >= self.today
        # A programme takes some months to be known; the running month is not over.
        known = min(1.0, 0.5 + 0.12 * self.months_live)
        self.months_live += 1
        for grant in candidates.order_by("pk"):
            share = usage[grant.benefit.code] * (0.55 if running else known)
            if self.rng.random() < share * self.rng.uniform(0.8, 1.2):
                self._use(grant, start, end, running=running)
        for number in range(MALL_ORDERS):
            self._order(number, start, end, running=running)
        _deliver(until)

    def _use(self, grant: Grant, start: date, end: date, *, running: bool) -> None:
        fresh = running and self.rng.random() < 0.12
        at = max(self._sometime(start, end), grant.starts_at + timedelta(minutes=1))
        if fresh:
            at = self.now - timedelta(minutes=self.rng.randint(10, 200))
        member = Actor(kind="member", id=grant.member_id, label=grant.member.number)
        try:
            redemption = grants.redeem(
                member=grant.member,
                grant_id=grant.pk,
                key=self._key("use", grant.pk),
                by=member,
                at=at,
            )
        except DomainError:  # used up, or a right that ended on the way
            return
        late = running and (self.now - at) < timedelta(days=7)
        if redemption.channel == Benefit.Channel.PARTNER:
            _deliver(at)
            if not fresh:
                self._partner(redemption, at, late=late)
        elif redemption.channel in {Benefit.Channel.STAFF, Benefit.Channel.CODE} and not fresh:
            self._till(redemption, at, late=late)
        self._rate(redemption, member)

    def _till(self, redemption: Redemption, at: datetime, *, late: bool) -> None:
        support = self.made.actor("support")
        chance = self.rng.random()
        if late and chance < 0.5:
            return
        if chance > 0.95:
            grants.cancel(
                redemption=redemption, reason="member", by=support, at=at + timedelta(hours=1)
            )
            return
        grants.fulfil(redemption=redemption, by=support, at=self._later(at, hours=20))

    def _partner(self, redemption: Redemption, at: datetime, *, late: bool) -> None:
        try:
            order = get_order(redemption_id=redemption.pk)
        except OrderNotFoundError:
            return
        order = self._answers(order, at)
        chance = self.rng.random()
        if order.state != FulfilmentOrder.State.ACCEPTED or (late and chance < 0.25):
            return
        when = self._appointment(order, at)
        if when is None or when >= self.now - timedelta(hours=1) or (late and chance < 0.45):
            return
        partner = self._partner_actor(order)
        order = orders.start(
            order=get_order(number=order.number),
            partner_id=order.partner_id,
            by=partner,
            at=when,
        )
        if late and chance < 0.6:
            return
        if chance > 0.97:
            orders.fail(
                order=order,
                partner_id=order.partner_id,
                reason="no_show",
                by=partner,
                at=self._later(when, hours=1),
            )
            return
        orders.fulfil(
            order=order,
            partner_id=order.partner_id,
            code=redemption.code,
            evidence={"note": "OK"},
            by=partner,
            at=self._later(when, hours=2),
        )

    def _appointment(self, order: FulfilmentOrder, at: datetime) -> datetime | None:
        """Find a day on which the partner has room; None when it is booked out."""
        for days in range(self.rng.randint(1, 3), 9):
            when = at + timedelta(days=days, hours=2)
            try:
                orders.schedule(
                    order=order,
                    partner_id=order.partner_id,
                    when=when,
                    by=self._partner_actor(order),
                    at=self._later(at, hours=3),
                )
            except NoCapacityError:
                continue
            return when
        return None

    def _answers(self, order: FulfilmentOrder, at: datetime) -> FulfilmentOrder:
        for attempt in range(4):
            if order.state != FulfilmentOrder.State.OFFERED or order.partner_id is None:
                return order
            code = next(c for c, p in self.made.partners.items() if p.pk == order.partner_id)
            accepts = next(p.accepts for p in self.spec.partners if p.code == code)
            moment = at + timedelta(minutes=8 * (attempt + 1))
            step = orders.accept if self.rng.random() < accepts else orders.decline
            order = step(
                order=order, partner_id=order.partner_id, by=self._partner_actor(order), at=moment
            )
            order = get_order(number=order.number)
        return order

    def _partner_actor(self, order: FulfilmentOrder) -> Actor:
        code = next((c for c, p in self.made.partners.items() if p.pk == order.partner_id), "")
        return Actor(kind="partner", id=order.partner_id, label=code)

    def _later(self, at: datetime, *, hours: int) -> datetime:
        moment = at + timedelta(minutes=self.rng.randint(30, 60 * hours))
        return min(moment, self.now - timedelta(minutes=1))

    def _rate(self, redemption: Redemption, member: Actor) -> None:
        redemption.refresh_from_db()
        if redemption.state != Redemption.State.FULFILLED or self.rng.random() > 0.45:
            return
        liked = redemption.benefit.stage == Benefit.Stage.STAR
        rating = self.rng.choices(
            (5, 4, 3, 2, 1), (55, 28, 10, 5, 2) if liked else (30, 34, 20, 10, 6)
        )[0]
        nps = min(10, max(0, rating * 2 + self.rng.randint(-1, 1)))
        fulfilled_at = redemption.fulfilled_at or self.now
        grants.rate(
            redemption=redemption,
            rating=rating,
            nps=nps,
            by=member,
            at=min(fulfilled_at + timedelta(hours=5), self.now),
        )

    # --- The mall -------------------------------------------------------------------------

    def _order(self, number: int, start: date, end: date, *, running: bool) -> None:
        member = self.rng.choice(list(self.members.values()))
        at = self._sometime(start, end)
        offers = [o for o in list_items(member=member, at=at, lang="en") if o.available]
        if not offers or member.enrolled_at >= at:
            return
        item = self.rng.choice(offers).item
        address = None
        if item.kind == "physical":
            address = {"recipient": "—", "phone": "—", "lines": self.spec.stores[0][1]}
        by = Actor(kind="member", id=member.pk, label=member.number)
        try:
            order = mall.place_order(
                member=member,
                item=item,
                key=self._key("order", start.isoformat(), number),
                address=address,
                by=by,
                at=at,
            )
        except DomainError:
            return
        support = self.made.actor("support")
        steps: Iterable[Callable[..., object]] = (
            mall.confirm_order,
            mall.ship_order,
            mall.complete_order,
        )
        if order.state != "placed":
            return
        stop = self.rng.randint(0, 3) if running else 3
        for count, step in enumerate(steps):
            if count >= stop:
                break
            at = self._later(at, hours=6)
            order = step(order=order, by=support, at=at)  # type: ignore[assignment]
        if not running and self.rng.random() < 0.05:
            return

    # --- The end --------------------------------------------------------------------------

    def _finish(self) -> None:
        if self.made.budget is not None:
            liven_up(
                self.spec,
                manager=self.made.actor("manager"),
                members=list(self.members.values()),
                now=self.now,
            )
            fill_shelves(self.spec, self.made, now=self.now)
            self._tend_unassigned()
            budgets.prepare_budget(self.spec, self.made, at=self.now - timedelta(days=3))
            budgets.count_liability(self.made.budget, until=self.now)
            day = self.made.budget.starts_on
            while day <= self.today:
                at = min(self._noon(day, hour=4), self.now)
                accrue_points(at=at)
                take_snapshot(budget=self.made.budget, at=at)
                day += timedelta(days=1 if (self.today - day).days <= 30 else 4)
            take_snapshot(budget=self.made.budget, at=self.now)
            budget.ask_draw(
                line=self.made.lines["service"],
                purpose="supply_shock",
                reason=self.spec.draw_reason[1],
                amount_minor=self.spec.budget_minor * 3 // 100,
                exit_on=first_of(self.today, back=-2),
                by=self.made.actor("manager"),
                at=self.now - timedelta(hours=20),
            )
            at = self.now - timedelta(hours=18)
            budgets.ask_for_more(self.spec, self.made.budget, self.made, at=at)
            officers.run_round(self.spec, self.made, now=self.now)
        if self.made.budget is not None:
            open_calendars(self.spec, self.made, at=self.now)
            count_popularity(at=self.now)
            settle(self.spec, self.made, months=BUDGET_MONTHS_BACK, now=self.now)
            members = list(self.members.values())
            desk.fill(self.spec, self.made, members, now=self.now)
        # Visits of the last days earn points: the figures come after.
        _deliver(self.now)
        # Uses that were called off later belong to the month of their request; what points were
        # worth was counted from the day before the budget on.
        for back in range(BUDGET_MONTHS_BACK + 1, -1, -1):
            compute_month(day=first_of(self.today, back=back), at=self.now)
        check_alerts(at=self.now)
        self._wishes()
        _deliver(self.now)
        # Who was merged into a member that was erased is erased as well.
        run_pending(at=self.now)
        # Visits move value segments, too.
        recompute_scores(on=self.today, at=self.now, full=True)
        seal(at=self.now)

    def _wishes(self) -> None:
        """A few of the newest withdraw, one is blocked, some want to be erased."""
        newest = list(self.members.values())[-200:]
        member_data.live(self.spec.slug, newest, staff=self.made.actor("manager"), now=self.now)
        run_pending(at=self.now)

    def _tend_unassigned(self) -> None:
        """Staff end the orders that nobody took, but for the last days' ones."""
        support = self.made.actor("support")
        before = self.now - timedelta(days=4)
        for order in FulfilmentOrder.objects.filter(
            state=FulfilmentOrder.State.UNASSIGNED, requested_at__lt=before
        ):
            orders.cancel(
                order=order,
                reason="no partner was free",
                by=support,
                at=order.requested_at + timedelta(days=2),
            )
        for alert in Alert.objects.filter(
            rule=Alert.Rule.ORDER_UNASSIGNED, state=Alert.State.OPEN, opened_at__lt=before
        ):
            close_alert(
                alert=alert,
                outcome="The member was called; the use is back with them.",
                by=support,
                at=alert.opened_at + timedelta(days=2),
            )

    def _key(self, *parts: str | int) -> UUID:
        return derived_uuid("demo", self.spec.slug, *parts)


def _refuse(_file: str, problem: object) -> None:
    raise RuntimeError(f"the demo's own purchases are wrong: {problem}")


def _deliver(at: datetime) -> None:
    while deliver_pending(at=at, limit=2_000):
        pass


def tell(spec: BrandSpec, *, now: datetime, report: Report) -> Programme:
    """Tell the whole year of a brand, inside its schema."""
    return Story(spec, now=now, report=report).tell()
