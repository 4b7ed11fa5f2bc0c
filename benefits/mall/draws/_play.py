"""One draw of one member: paid, decided, given, in one transaction.

Lock order: account → lots → seed (shared) → code, grant → budget line → prize with a stock. The
account's lock makes one member's draws follow one another; members do not wait for each other,
but for the counter of a scarce prize, which comes last.
"""

import unicodedata
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from benefits.budget import operations as budget
from benefits.budget.queries import find_line
from benefits.catalogue.codes import take_codes
from benefits.catalogue.errors import CostMissingError, PoolEmptyError
from benefits.catalogue.kinds.points_credit import points_cost
from benefits.grants import operations as grants
from benefits.grants.models import Grant
from benefits.mall.draws import fairness
from benefits.mall.draws.errors import (
    DrawClosedError,
    DrawLimitError,
    DrawStateError,
    InvalidDrawError,
)
from benefits.mall.draws.models import DrawPrize, DrawSeed, DrawTicket, LuckyDraw
from benefits.mall.errors import KeyReusedError, NotForYouError
from benefits.rules.errors import BenefitNotLiveError
from core import clock
from core.actors import SYSTEM, Actor
from core.ids import derived_uuid
from members.points import operations as points
from members.points.models import Wallet
from members.points.values import Source
from members.profiles.errors import BlockedMemberError
from members.profiles.models import Member
from members.profiles.operations import require_active
from members.segments import conditions
from members.segments.queries import is_in_audience
from tenants.audit.operations import verify_identity
from tenants.brands.context import current_brand
from tenants.events.operations import emit

MAX_WORDS = 60
_Kind = DrawPrize.Kind


def play(
    *,
    member: Member,
    draw: LuckyDraw,
    key: UUID,
    by: Actor,
    at: datetime,
    words: str = "",
) -> DrawTicket:
    """Draw once: the points are spent and the prize is given, or nothing has happened.

    `words` are the member's own and go into what decides. The same key again returns the first
    draw.

    :raises DrawClosedError, NotForYouError, DrawLimitError, InsufficientPointsError,
        BlockedMemberError: nothing has changed then.
    :raises InvalidDrawError: if the words are too long; `pointer` names them.
    :raises KeyReusedError: if the key belongs to another draw.
    """
    words = unicodedata.normalize("NFC", words).strip()
    if len(words) > MAX_WORDS or not words.isprintable():
        raise InvalidDrawError(
            _("At most %(max_words)s characters.") % {"max_words": MAX_WORDS}, pointer="/words"
        )
    seen = _find(key, member, draw)
    if seen is not None:
        return seen
    if not member.is_active:
        raise BlockedMemberError
    _check_open(draw, member, at)
    try:
        with transaction.atomic():
            verify_identity()
            return _play(member, draw, key, words, at)
    except IntegrityError:
        # The same key at the same moment: the other call has drawn.
        seen = _find(key, member, draw)
        if seen is None:
            raise
        return seen


def check_limits(*, draw: LuckyDraw, made: int, today: int, at: datetime) -> None:
    """Refuse a draw beyond the limits, given how many there were in all and today.

    :raises DrawLimitError: with `limit` and, where only the day is used up, `next_at`.
    """
    if draw.per_member_limit is not None and made >= draw.per_member_limit:
        raise DrawLimitError(limit=draw.per_member_limit)
    if draw.per_day_limit is not None and today >= draw.per_day_limit:
        zone = current_brand().timezone
        tomorrow = clock.local_date(at, zone) + timedelta(days=1)
        next_at = datetime.combine(tomorrow, time.min, tzinfo=ZoneInfo(zone))
        raise DrawLimitError(limit=draw.per_day_limit, next_at=next_at.isoformat())


def _play(member: Member, draw: LuckyDraw, key: UUID, words: str, at: datetime) -> DrawTicket:
    source = Source("lucky_draw", draw.pk)
    # As the member is now, and until it is done.
    require_active(member_id=member.pk)
    # Takes the account's lock: from here on, this member's draws are made one by one.
    points.redeem(
        owner_id=member.pk,
        amount=draw.points,
        key=derived_uuid("draw-cost", str(key)),
        at=at,
        source=source,
    )
    day = clock.local_date(at, current_brand().timezone)
    mine = DrawTicket.objects.filter(member=member, draw=draw)
    made = mine.count()
    check_limits(draw=draw, made=made, today=mine.filter(day_on=day).count(), at=at)
    seed = _seed_in_use(draw)
    player = fairness.player_name(draw=draw.code, member=member.number)
    rolled = fairness.roll(
        seed=seed.seed,
        message=fairness.message_of(draw=draw.code, player=player, number=made + 1, words=words),
    )
    prizes = list(
        DrawPrize.objects.filter(draw=draw)
        .select_related("code_pool", "benefit")
        .order_by("position")
    )
    drawn = prizes[fairness.pick(roll=rolled, weights=[prize.weight for prize in prizes])]
    ticket = DrawTicket(
        draw=draw,
        seed=seed,
        member=member,
        key=key,
        player=player,
        number=made + 1,
        lucky_words=words,
        roll=rolled,
        drawn=drawn,
        prize=drawn,
        points=draw.points,
        day_on=day,
        at=at,
    )
    _give(ticket, drawn, next((p for p in prizes if p.is_fallback), None), at)
    ticket.save(force_insert=True)
    emit(
        type="lucky_draw.drawn",
        subject=f"member:{member.pk}",
        data={
            "draw": draw.code,
            "ticket": str(key),
            "member_id": member.pk,
            "prize": ticket.prize.position,
            "kind": ticket.prize.kind,
            "points_won": ticket.points_won,
        },
        at=at,
    )
    return ticket


def _give(ticket: DrawTicket, drawn: DrawPrize, fallback: DrawPrize | None, at: datetime) -> None:
    """Give the prize at the roll, or the one that stands in for it."""
    try:
        with transaction.atomic():
            _hand_out(ticket, drawn, at)
            return
    except _PrizeGoneError as gone:
        if fallback is None:
            raise DrawClosedError(status="sold_out") from None
        reason = gone.reason
    ticket.prize, ticket.fallback_reason = fallback, reason
    ticket.code, ticket.grant, ticket.points_won, ticket.cost_minor = "", None, 0, 0
    _hand_out(ticket, fallback, at)


class _PrizeGoneError(Exception):
    """A prize can not be given any more; says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def _hand_out(ticket: DrawTicket, prize: DrawPrize, at: datetime) -> None:
    cost = prize.unit_cost_minor
    if prize.kind == _Kind.POINTS:
        points.earn(
            owner_id=ticket.member_id,
            amount=prize.points,
            key=derived_uuid("draw-prize", str(ticket.key)),
            at=at,
            source=Source("lucky_draw", ticket.draw_id),
            cause={"draw": ticket.draw.code, "prize": prize.position},
        )
        ticket.points_won = prize.points
        micro = Wallet.objects.values_list("cost_per_point_micro", flat=True).get(code="points")
        cost += points_cost(prize.points, micro)
    if prize.code_pool_id is not None:
        ticket.code = _take_code(ticket, prize.code_pool_id, at)
    if prize.benefit is not None:
        ticket.grant = _grant(ticket, prize, at)
    ticket.cost_minor = cost
    if cost and ticket.draw.budget_line is not None:
        line = find_line(code=ticket.draw.budget_line.code, on=ticket.day_on)
        if line is not None:
            budget.spend(
                line=line,
                amount_minor=cost,
                key=derived_uuid("draw-cost-money", str(ticket.key)),
                source=("lucky_draw", ticket.draw_id),
                by=SYSTEM,
                at=at,
            )
    _count(prize)


def _count(prize: DrawPrize) -> None:
    """Count a scarce prize as given: a conditional update, which is what keeps it scarce."""
    if prize.stock is None:
        return
    rows = DrawPrize.objects.filter(pk=prize.pk, awarded__lt=F("stock"))
    if not rows.update(awarded=F("awarded") + 1):
        raise _PrizeGoneError("stock")


def _take_code(ticket: DrawTicket, pool_id: int, at: datetime) -> str:
    try:
        return take_codes(pool_id=pool_id, count=1, taken_for=f"lucky_draw:{ticket.key}", at=at)[0]
    except PoolEmptyError:
        raise _PrizeGoneError("codes") from None


def _grant(ticket: DrawTicket, prize: DrawPrize, at: datetime) -> Grant:
    days = prize.benefit_validity_days
    if prize.benefit is None:  # a constraint of the table
        raise _PrizeGoneError("benefit")
    try:
        return grants.grant(
            member=ticket.member,
            benefit=prize.benefit,
            period_key=f"draw:{ticket.draw_id}:{ticket.number}",
            ends_at=at + timedelta(days=days) if days is not None else None,
            reason={"code": "won", "draw": ticket.draw.code},
            by=SYSTEM,
            at=at,
        )
    except (BenefitNotLiveError, CostMissingError):
        raise _PrizeGoneError("benefit") from None


def _seed_in_use(draw: LuckyDraw) -> DrawSeed:
    """Return the seed that decides now, held against being revealed until this draw is done."""
    # The second look finds the next seed, when the first one was being revealed.
    for _look in range(2):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM benefits_drawseed WHERE draw_id = %s AND revealed_at IS NULL"
                " FOR SHARE",
                [draw.pk],
            )
            row = cursor.fetchone()
        if row is not None:
            return DrawSeed.objects.get(pk=row[0])
    raise DrawStateError(status=draw.status)


def _check_open(draw: LuckyDraw, member: Member, at: datetime) -> None:
    begun = draw.starts_at is None or draw.starts_at <= at
    ended = draw.ends_at is not None and draw.ends_at <= at
    if draw.status != LuckyDraw.Status.OPEN or not begun or ended:
        raise DrawClosedError(
            status=draw.status,
            starts_at=None if begun or draw.starts_at is None else draw.starts_at.isoformat(),
        )
    if draw.condition is not None:
        condition = conditions.parse(draw.condition)
        if not is_in_audience(condition=condition, member_id=member.pk, at=at):
            raise NotForYouError


def _find(key: UUID, member: Member, draw: LuckyDraw) -> DrawTicket | None:
    seen = (
        DrawTicket.objects.select_related("draw", "prize", "drawn", "seed").filter(key=key).first()
    )
    if seen is not None and (seen.member_id, seen.draw_id) != (member.pk, draw.pk):
        raise KeyReusedError(key=str(key))
    return seen
