"""Terms with partners and the statements of the months gone by: paid, approved, and in dispute."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from benefits.insights.months import first_of
from config.demo.programme import Programme
from config.demo.specs import BrandSpec
from core import clock
from core.actors import Actor
from core.ids import derived_uuid
from partners.pool.contracts import add_contract
from partners.pool.models import Partner
from partners.settlements import disputes, operations, prepaid, queries
from partners.settlements.generation import make_statements

_WORDS: Mapping[str, tuple[str, str, str]] = {
    "en": (
        "The appointment took an hour longer than agreed; please pay the longer service.",
        "We are asking the store and come back to you.",
        "Keys of the store lost",
    ),
    "zh-hans": (
        "这次服务比约定多用了一小时，请按加时服务结算。",
        "我们正在向门店核实，稍后答复您。",
        "门店钥匙遗失",
    ),
    "zh-hant": (
        "這次服務比約定多用了一小時，請按加時服務結算。",
        "我們正在向門店核實，稍後答覆您。",
        "門店鑰匙遺失",
    ),
}


def agree_terms(made: Programme, *, on: date, at: datetime) -> None:
    """Agree on fees and penalties with every partner; the first is paid ahead."""
    for number, partner in enumerate(made.partners.values()):
        add_contract(
            partner=partner,
            valid_from=on,
            reference=f"{on:%Y}-{number + 1:02}",
            commission_bp=(0, 300, 500)[number % 3],
            late_penalty_bp=1_000,
            failure_penalty_minor=2_000,
            cancel_fee_bp=3_000,
            objection_days=10,
            payment_days=15,
            low_float_minor=200_000 if number == 0 else None,
            by=made.actor("owner"),
            at=at,
        )


def settle(spec: BrandSpec, made: Programme, *, months: int, now: datetime) -> None:
    """Settle the whole months before today: the older ones are paid, the last is talked over."""
    today = clock.local_date(now, spec.timezone)
    firsts = [first_of(today, back=back) for back in range(months, 0, -1)]
    partners = list(made.partners.values())
    if not partners:
        return
    for number, month in enumerate(firsts):
        after = first_of(month, back=-1)
        at = min(datetime.combine(after, time(9), ZoneInfo(spec.timezone)), now)
        if number == 0:
            _pay_ahead(partners[0], made, at=at)
        make_statements(month=month, at=at)
        if number < len(firsts) - 1:
            _pay(month, made, at=at, paid=number < len(firsts) - 2)
        else:
            _talk_over(spec, month, made, at=now)


def _pay_ahead(partner: Partner, made: Programme, *, at: datetime) -> None:
    prepaid.buy_pack(
        partner=partner,
        amount_minor=500_000,
        reference="PACK-1",
        key=derived_uuid("demo-pack", partner.code),
        by=made.actor("finance"),
        at=at,
    )


def _pay(month: date, made: Programme, *, at: datetime, paid: bool) -> None:
    for row in queries.list_statements(month=month, limit=200):
        partner = Actor(kind="partner", id=row.partner_id, label=row.partner.name)
        operations.send(statement=row, by=made.actor("manager"), at=at)
        operations.agree(
            statement=row, partner_id=row.partner_id, by=partner, at=at + timedelta(hours=30)
        )
        done = at + timedelta(days=3)
        operations.approve(statement=row, by=made.actor("finance"), at=done)
        if paid:
            operations.mark_paid(
                statement=row,
                reference=f"TR-{row.number}",
                paid_on=done.date(),
                by=made.actor("finance"),
                at=done,
            )


def _talk_over(spec: BrandSpec, month: date, made: Programme, *, at: datetime) -> None:
    """Send all but one of the last month; one partner objects to a line, another agrees."""
    objection, reply, correction = _WORDS.get(spec.locale, _WORDS["en"])
    rows = queries.list_statements(month=month, limit=200)[::-1]
    for number, row in enumerate(rows[: max(len(rows) - 1, 1)]):
        sent = at - timedelta(days=2)
        partner = Actor(kind="partner", id=row.partner_id, label=row.partner.name)
        operations.send(statement=row, by=made.actor("manager"), at=sent)
        lines = queries.list_lines(statement=row, kinds=["service"], limit=3)
        if number == 0 and lines:
            disputes.dispute_line(
                statement=row,
                line_id=lines[-1].id,
                partner_id=row.partner_id,
                text=objection,
                expected_minor=lines[-1].amount_minor * 3 // 2,
                by=partner,
                at=at - timedelta(hours=20),
            )
            disputes.write_message(
                statement=row,
                line_id=lines[-1].id,
                text=reply,
                by=made.actor("finance"),
                at=at - timedelta(hours=3),
            )
        elif number == 1:
            operations.agree(
                statement=row, partner_id=row.partner_id, by=partner, at=at - timedelta(hours=5)
            )
    if rows:
        operations.correct(
            partner=rows[-1].partner,
            amount_minor=-12_000,
            reason=correction,
            key=derived_uuid("demo-correction", rows[-1].number),
            by=made.actor("finance"),
            at=at - timedelta(hours=2),
        )
