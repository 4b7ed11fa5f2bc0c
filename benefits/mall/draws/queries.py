"""Reads of lucky draws: what a member can draw, the odds, the log, what a draw costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from benefits.catalogue.kinds.points_credit import points_cost
from benefits.catalogue.texts import localized
from benefits.grants.usability import Reason
from benefits.mall.draws import fairness
from benefits.mall.draws._play import check_limits
from benefits.mall.draws.errors import DrawLimitError, UnknownDrawError, UnknownTicketError
from benefits.mall.draws.models import DrawPrize, DrawSeed, DrawTicket, LuckyDraw
from benefits.mall.draws.verifying import Verdict, verify
from core import clock
from members.points.models import Wallet
from members.points.queries import get_balance
from members.profiles.models import Member
from members.segments import conditions
from members.segments.queries import member_facts
from tenants.brands.context import current_brand

__all__ = [
    "DrawFigures",
    "DrawOffer",
    "get_draw",
    "get_figures",
    "get_offer",
    "get_ticket",
    "list_draws",
    "list_offers",
    "list_prizes",
    "list_seeds",
    "list_tickets",
    "verify_draw",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawOffer:
    """One draw as one member sees it; `left` is how many draws they have now, if limited."""

    draw: LuckyDraw
    name: str
    summary: str
    available: bool
    reasons: list[Reason]
    made: int
    left: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawFigures:
    """What a draw takes in and gives out: so far, and what to expect of a thousand draws.

    Costs in minor units, what points cost included; `odds` has each prize with its share in
    basis points of a hundredth (a million is all).
    """

    tickets: int
    members: int
    points_in: int
    points_out: int
    cost_minor: int
    expected_points_out: int
    expected_cost_minor: int


def get_draw(*, code: str) -> LuckyDraw:
    """Return a draw. :raises UnknownDrawError: if there is none of this code."""
    draw = LuckyDraw.objects.select_related("budget_line").filter(code=code).first()
    if draw is None:
        raise UnknownDrawError(draw=code)
    return draw


def list_draws() -> list[LuckyDraw]:
    """Return all draws for staff, the newest first, with `drawn`: how often it was drawn."""
    return list(LuckyDraw.objects.annotate(drawn=Count("tickets")).order_by("-pk"))


def list_prizes(*, draw: LuckyDraw) -> list[DrawPrize]:
    """Return the prizes in their order, each with `won`: how often it was given."""
    return list(
        DrawPrize.objects.filter(draw=draw)
        .select_related("code_pool", "benefit")
        .annotate(won=Count("tickets"))
        .order_by("position")
    )


def list_seeds(*, draw: LuckyDraw, limit: int = 60) -> list[DrawSeed]:
    """Return the seeds with `decided`: how many draws each one decided; the newest first.

    A seed that is still in use comes without its secret.
    """
    seeds: list[DrawSeed] = list(
        draw.seeds.annotate(decided=Count("tickets")).order_by("-number")[:limit]
    )
    for seed in seeds:
        if seed.revealed_at is None:
            seed.seed = ""
    return seeds


def list_offers(*, member: Member, at: datetime, lang: str) -> list[DrawOffer]:
    """Return the draws a member sees: open ones for them, and those that begin later."""
    draws = LuckyDraw.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=at), status=LuckyDraw.Status.OPEN
    )
    return _offers(list(draws.select_related("budget_line").order_by("pk")), member, at, lang)


def get_offer(*, code: str, member: Member, at: datetime, lang: str) -> DrawOffer:
    """Return one draw as a member sees it; ended ones too, for the proof.

    :raises UnknownDrawError: if there is none, it is a draft, or it is for other members.
    """
    draws = LuckyDraw.objects.exclude(status=LuckyDraw.Status.DRAFT).filter(code=code)
    found = _offers(list(draws), member, at, lang)
    if not found:
        raise UnknownDrawError(draw=code)
    return found[0]


def get_ticket(*, key: UUID, member: Member | None = None) -> DrawTicket:
    """Return one draw of a member. :raises UnknownTicketError: if there is none."""
    tickets = _tickets().filter(key=key)
    if member is not None:
        tickets = tickets.filter(member=member)
    ticket = tickets.first()
    if ticket is None:
        raise UnknownTicketError(ticket=str(key))
    if ticket.seed.revealed_at is None:
        ticket.seed.seed = ""
    return ticket


def list_tickets(
    *,
    draw: LuckyDraw | None = None,
    member: Member | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[DrawTicket]:
    """Return draws newest first; `after` is the key of the last one of the page before."""
    tickets = _tickets()
    if draw is not None:
        tickets = tickets.filter(draw=draw)
    if member is not None:
        tickets = tickets.filter(member=member)
    if after is not None:
        tickets = tickets.filter(pk__lt=after)
    found = list(tickets.order_by("-pk")[:limit])
    for ticket in found:
        if ticket.seed.revealed_at is None:
            ticket.seed.seed = ""
    return found


def get_figures(*, draw: LuckyDraw, prizes: Sequence[DrawPrize]) -> DrawFigures:
    """Return what a draw took in and gave out, and what a thousand draws will."""
    sums = DrawTicket.objects.filter(draw=draw).aggregate(
        tickets=Count("pk"),
        members=Count("member", distinct=True),
        points_in=Sum("points", default=0),
        points_out=Sum("points_won", default=0),
        cost_minor=Sum("cost_minor", default=0),
    )
    micro = Wallet.objects.values_list("cost_per_point_micro", flat=True).get(code="points")
    points = sum(prize.weight * prize.points for prize in prizes)
    money = sum(
        prize.weight * (prize.unit_cost_minor + points_cost(prize.points, micro))
        for prize in prizes
    )
    return DrawFigures(
        **sums,
        expected_points_out=points * 1_000 // fairness.SCALE,
        expected_cost_minor=money * 1_000 // fairness.SCALE,
    )


def verify_draw(*, draw: LuckyDraw) -> Verdict:
    """Check every draw from its rows: seeds, odds, rolls, prizes, stock, payments."""
    return verify(draw)


def _tickets() -> QuerySet[DrawTicket]:
    return DrawTicket.objects.select_related("draw", "seed", "prize", "drawn", "member", "grant")


def _offers(draws: list[LuckyDraw], member: Member, at: datetime, lang: str) -> list[DrawOffer]:
    trees = {d.pk: conditions.parse(d.condition) for d in draws if d.condition is not None}
    names = {name for tree in trees.values() for name in conditions.fields_of(tree)}
    facts = member_facts(member_id=member.pk, fields=names, at=at) if names else {}
    draws = [d for d in draws if d.pk not in trees or conditions.evaluate(trees[d.pk], facts)]
    if not draws:
        return []
    available = get_balance(owner_id=member.pk, at=at).available
    day = clock.local_date(at, current_brand().timezone)
    made = {
        row["draw_id"]: (row["made"], row["today"])
        for row in DrawTicket.objects.filter(member=member, draw__in=draws)
        .values("draw_id")
        .annotate(made=Count("pk"), today=Count("pk", filter=Q(day_on=day)))
    }
    return [_offer(d, member, available, *made.get(d.pk, (0, 0)), at, lang) for d in draws]


def _offer(
    draw: LuckyDraw,
    member: Member,
    available: int,
    made: int,
    today: int,
    at: datetime,
    lang: str,
) -> DrawOffer:
    reasons = []
    ended = draw.status == LuckyDraw.Status.ENDED or (
        draw.ends_at is not None and draw.ends_at <= at
    )
    if not member.is_active:
        reasons.append(Reason("blocked_member"))
    if ended:
        reasons.append(Reason("draw_closed"))
    elif draw.starts_at is not None and draw.starts_at > at:
        reasons.append(Reason("not_yet_started", {"starts_at": draw.starts_at}))
    elif draw.status != LuckyDraw.Status.OPEN:
        reasons.append(Reason("draw_closed"))
    try:
        check_limits(draw=draw, made=made, today=today, at=at)
    except DrawLimitError as error:
        reasons.append(Reason(error.code, dict(error.data)))
    if available < draw.points:
        reasons.append(Reason("insufficient_points", {"missing": draw.points - available}))
    limits = [
        limit - used
        for limit, used in ((draw.per_member_limit, made), (draw.per_day_limit, today))
        if limit is not None
    ]
    return DrawOffer(
        draw=draw,
        name=localized(draw.name, lang),
        summary=localized(draw.summary, lang),
        available=not reasons,
        reasons=reasons,
        made=made,
        left=max(min(limits), 0) if limits else None,
    )
