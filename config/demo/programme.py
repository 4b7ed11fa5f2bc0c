"""Sets up a demo brand's programme: staff, wallets, tiers, benefits, rules, mall, partners, budget."""

from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta

from benefits.budget import operations as budget
from benefits.budget.models import Budget, BudgetLine
from benefits.catalogue import operations as catalogue
from benefits.catalogue.models import Benefit, Package
from benefits.insights.months import first_of
from benefits.mall import operations as mall
from benefits.mall.models import MallItem
from benefits.rules import operations as rules
from benefits.rules.models import GrantRule
from config.demo.specs import BrandSpec, Text
from core import clock
from core.actors import SYSTEM, Actor
from core.ids import derived_uuid
from members.activity.operations import put_store
from members.earning.rule_operations import activate_rule
from members.earning.rule_operations import create_rule as create_earning_rule
from members.points.operations import change_wallet
from members.tiers import operations as tiers
from members.tiers.values import TierDraft
from partners.orders.dispatch import get_policy
from partners.orders.operations import set_policy
from partners.pool import operations as pool
from partners.pool.models import Partner
from tenants.accounts.keys import create_api_key
from tenants.accounts.models import StaffMember
from tenants.accounts.operations import invite_staff

# The budget began so many months ago and runs for a year.
BUDGET_MONTHS_BACK = 6


@dataclass(slots=True)
class Programme:
    """What was set up, by code."""

    staff: dict[str, StaffMember] = field(default_factory=dict)
    benefits: dict[str, Benefit] = field(default_factory=dict)
    rules: dict[str, GrantRule] = field(default_factory=dict)
    items: dict[str, MallItem] = field(default_factory=dict)
    partners: dict[str, Partner] = field(default_factory=dict)
    lines: dict[str, BudgetLine] = field(default_factory=dict)
    package: Package | None = None
    budget: Budget | None = None
    api_key: str = ""
    partner_keys: dict[str, str] = field(default_factory=dict)

    def actor(self, role: str) -> Actor:
        """Return a member of staff as the `by` of an operation."""
        row = self.staff[role]
        return Actor(kind="staff", id=row.pk, label=row.user.name)


def begin(spec: BrandSpec, *, at: datetime) -> Programme:
    """Make what exists from the first purchase on: staff, wallets, tiers, earning, stores."""
    made = Programme()
    for role, name in spec.staff:
        email = f"{role.replace('_', '-')}@{spec.slug}.example.com"
        made.staff[role] = invite_staff(email=email, name=name, role=role, by=SYSTEM, at=at)
    owner = made.actor("owner")
    change_wallet(
        wallet="points",
        by=owner,
        at=at,
        expiry_policy="end_of_month",
        expiry_months=12,
        cost_per_point_micro=spec.cost_per_point_micro,
    )
    for code, name, region in spec.stores:
        put_store(code=code, name=name, region=region, by=owner, at=at)
    scheme = tiers.create_scheme(
        metric="growth",
        window="rolling",
        window_months=12,
        tiers=[
            TierDraft(
                code=tier.code,
                name=dict(tier.name),
                entry_threshold=tier.entry,
                keep_threshold=tier.keep,
                colour=tier.colour,
                multiplier_bp=tier.multiplier_bp,
                grace_days=0 if tier.entry == 0 else 30,
            )
            for tier in spec.tiers
        ],
        by=owner,
        at=at,
    )
    tiers.publish_scheme(
        scheme=scheme, starts_on=clock.local_date(at, spec.timezone), by=owner, at=at
    )
    earning = create_earning_rule(
        name={"zh-hans": "消费积分", "zh-hant": "消費積分"}.get(
            spec.locale, "Points for purchases"
        ),
        effect="per_unit",
        points=spec.points_per_unit,
        unit_minor=spec.unit_minor,
        by=owner,
        at=at,
    )
    activate_rule(rule_id=earning.pk, by=owner, at=at)
    return made


def launch(spec: BrandSpec, made: Programme, *, at: datetime) -> None:
    """Open the programme itself: budget, benefits, rules, mall, partners, keys."""
    _budget(spec, made, at)
    _benefits(spec, made, at)
    _rules(spec, made, at)
    _mall(spec, made, at)
    _partners(spec, made, at)
    _patience(made, at)
    _keys(spec, made, at)


def _budget(spec: BrandSpec, made: Programme, at: datetime) -> None:
    finance = made.actor("finance")
    starts_on = first_of(clock.local_date(at, spec.timezone))
    made.budget = budget.create_budget(
        name=f"{spec.budget_name} {starts_on.year}",
        starts_on=starts_on,
        ends_on=first_of(starts_on, back=-12),
        total_minor=spec.budget_minor,
        floor_minor=spec.budget_minor // 12,
        by=finance,
        at=at,
    )
    for line in spec.lines:
        row = budget.add_line(
            budget=made.budget,
            code=line.code,
            name=line.name,
            kind=line.kind,
            policy=line.policy,
            by=finance,
            at=at,
        )
        made.lines[line.code] = row
        if line.share_bp:
            budget.plan(
                line=row,
                amount_minor=made.budget.plannable_minor * line.share_bp // 10_000,
                key=derived_uuid("demo-plan", spec.slug, line.code),
                by=finance,
                at=at,
            )


def _texts(values: Text) -> dict[str, str]:
    return dict(values)


def _benefits(spec: BrandSpec, made: Programme, at: datetime) -> None:
    manager = made.actor("manager")
    for benefit in spec.benefits:
        made.benefits[benefit.code] = catalogue.create_benefit(
            code=benefit.code,
            kind=benefit.kind,
            name=_texts(benefit.name),
            summary=_texts(benefit.summary),
            terms=_texts(benefit.terms),
            channel=benefit.channel,
            icon=benefit.icon,
            category=benefit.category,
            stage=benefit.stage,
            reason="" if benefit.stage == "idea" else "Runs since before the programme moved here",
            unit_cost_minor=benefit.cost_minor,
            list_price_minor=benefit.list_price_minor,
            sla_hours=benefit.sla_hours,
            linked_categories=list(benefit.linked_categories),
            parameters=benefit.parameters,
            by=manager,
            at=at,
        )
    code, name, items = spec.package
    made.package = catalogue.create_package(
        code=code,
        name=_texts(name),
        items=[(made.benefits[benefit], quantity) for benefit, quantity in items],
        by=manager,
        at=at,
    )


def _rules(spec: BrandSpec, made: Programme, at: datetime) -> None:
    manager = made.actor("manager")
    for rule in spec.rules:
        draft = rules.create_rule(
            code=rule.code,
            name=rule.name,
            cadence=rule.cadence,
            benefit=made.benefits[rule.benefit],
            condition=rule.condition,
            quantity=rule.quantity,
            hold_out_bp=rule.hold_out_bp,
            validity_days=60 if rule.cadence == "on_tier_up" else None,
            budget_line=made.lines.get(rule.budget),
            by=manager,
            at=at,
        )
        made.rules[rule.code] = draft
        if rule.budget != "pilot":
            rules.publish_rule(rule=draft, by=manager, at=at)


def _mall(spec: BrandSpec, made: Programme, at: datetime) -> None:
    manager = made.actor("manager")
    for item in spec.items:
        made.items[item.code] = mall.create_item(
            code=item.code,
            kind=item.kind,
            name=_texts(item.name),
            summary=_texts(item.summary),
            icon=item.icon,
            category=item.category,
            points=item.points,
            unit_cost_minor=item.cost_minor,
            per_member_limit=item.limit,
            stock=item.stock,
            benefit=made.benefits.get(item.benefit),
            budget_line=made.lines["mall"],
            on_sale=True,
            by=manager,
            at=at,
        )


def _partners(spec: BrandSpec, made: Programme, at: datetime) -> None:
    manager = made.actor("manager")
    today = clock.local_date(at, spec.timezone)
    for partner in spec.partners:
        row = pool.invite_partner(
            code=partner.code,
            name=partner.name,
            contact_name=partner.name,
            contact_email=partner.contact,
            by=manager,
            at=at,
        )
        pool.open_sandbox(partner=row, by=manager, at=at)
        row = pool.activate_partner(partner=row, by=manager, at=at)
        made.partners[partner.code] = row
        for code, price in partner.prices.items():
            pool.set_offering(
                partner=row,
                benefit=made.benefits[code],
                price_minor=price,
                capacity_per_day=partner.capacity,
                regions=partner.regions,
                lead_time_hours=12,
                sla_hours=96,
                valid_from=today,
                price_from=today,
                by=manager,
                at=at,
            )


def _patience(made: Programme, at: datetime) -> None:
    """Partners of the demo have half a day to answer, so that open offers can be looked at."""
    policy = get_policy()
    set_policy(
        weights=asdict(policy.weights),
        accept_minutes=720,
        horizon_days=policy.horizon_days,
        by=made.actor("manager"),
        at=at,
    )


def _keys(spec: BrandSpec, made: Programme, at: datetime) -> None:
    owner = made.actor("owner")
    _row, made.api_key = create_api_key(
        kind="brand", name="Shop system", scopes=["*"], is_live=True, by=owner, at=at
    )
    for code, partner in made.partners.items():
        _key, text = pool.create_key(partner=partner, name="Booking system", by=owner, at=at)
        made.partner_keys[code] = text


def open_pilot(spec: BrandSpec, made: Programme, *, at: datetime, exit_on: date) -> None:
    """Draw on the reserve for the pilot, with four eyes, and publish its rule."""
    line = made.lines["pilot"]
    draw = budget.ask_draw(
        line=line,
        purpose="pilot",
        reason=spec.draw_reason[0],
        amount_minor=spec.budget_minor * 4 // 100,
        exit_on=exit_on,
        by=made.actor("manager"),
        at=at,
    )
    budget.approve_draw(draw=draw, by=made.actor("finance"), at=at + timedelta(hours=3))
    for rule in spec.rules:
        if rule.budget == "pilot":
            rules.publish_rule(rule=made.rules[rule.code], by=made.actor("manager"), at=at)
