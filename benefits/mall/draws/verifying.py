"""Checking a draw from its rows: the same sums that anybody outside can do once a seed is out."""

from collections import Counter
from dataclasses import dataclass, field

from benefits.mall.draws import fairness
from benefits.mall.draws._set_up import digest_of
from benefits.mall.draws.models import DrawPrize, DrawTicket, LuckyDraw
from core.ids import derived_uuid
from members.points.models import Entry
from members.profiles.models import Member

_SHOWN = 50
_CHUNK = 2_000


@dataclass(slots=True)
class Verdict:
    """What checking a draw found: `problems` is empty when all is as it should be.

    `checked` draws were decided by seeds that are out, `sealed` ones by the seed in use; of
    `erased` members the words are gone that the roll was made of.
    """

    checked: int = 0
    erased: int = 0
    sealed: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Say whether nothing is wrong."""
        return not self.problems

    def complain(self, text: str) -> None:
        """Keep a problem, the first fifty of them."""
        if len(self.problems) < _SHOWN:
            self.problems.append(text)


def verify(draw: LuckyDraw) -> Verdict:
    """Check seeds, odds, every roll, every prize, stock and payment of a draw."""
    verdict = Verdict()
    prizes = list(draw.prizes.order_by("position"))
    if draw.odds_hash and digest_of(draw, prizes) != draw.odds_hash:
        verdict.complain("The odds are not those that were published.")
    for seed in draw.seeds.filter(revealed_at__isnull=False):
        if fairness.commitment(seed.seed) != seed.seed_hash:
            verdict.complain(f"Seed {seed.number} is not the one that was committed to.")
    given: Counter[int] = Counter()
    refused: set[int] = set()
    counts: Counter[str] = Counter()
    batch: list[DrawTicket] = []
    tickets = DrawTicket.objects.filter(draw=draw).select_related("seed", "member")
    for ticket in tickets.order_by("pk").iterator(chunk_size=_CHUNK):
        counts[ticket.player] += 1
        given[ticket.prize_id] += 1
        if ticket.fallback_reason == "stock":
            refused.add(ticket.drawn_id)
        _check(draw, ticket, prizes, counts[ticket.player], verdict)
        batch.append(ticket)
        if len(batch) == _CHUNK:
            _check_payments(batch, verdict)
            batch = []
    _check_payments(batch, verdict)
    for prize in prizes:
        if prize.stock is None:
            continue
        if given[prize.pk] != prize.awarded or prize.awarded > prize.stock:
            verdict.complain(
                f"Prize {prize.position}: {given[prize.pk]} given, {prize.awarded} counted,"
                f" {prize.stock} there were."
            )
        if prize.pk in refused and prize.awarded < prize.stock:
            verdict.complain(f"Prize {prize.position} was refused though some were left.")
    return verdict


def _check(
    draw: LuckyDraw,
    ticket: DrawTicket,
    prizes: list[DrawPrize],
    expected_number: int,
    verdict: Verdict,
) -> None:
    name = f"Draw {ticket.key}"
    if ticket.number != expected_number:
        verdict.complain(f"{name}: number {ticket.number}, expected {expected_number}.")
    player = fairness.player_name(draw=draw.code, member=ticket.member.number)
    if ticket.player != player:
        verdict.complain(f"{name}: the player is not the member.")
    if ticket.drawn_id != ticket.prize_id:
        fallback = next((prize.pk for prize in prizes if prize.is_fallback), None)
        if ticket.prize_id != fallback:
            verdict.complain(f"{name}: the prize given is neither the one drawn nor the stand-in.")
    place = fairness.pick(roll=ticket.roll, weights=[prize.weight for prize in prizes])
    if prizes[place].pk != ticket.drawn_id:
        verdict.complain(f"{name}: roll {ticket.roll} is another prize.")
    seed = ticket.seed
    if seed.revealed_at is None:
        verdict.sealed += 1
        return
    if ticket.member.status == Member.Status.ERASED:
        verdict.erased += 1
        return
    verdict.checked += 1
    expected = fairness.roll(
        seed=seed.seed,
        message=fairness.message_of(
            draw=draw.code, player=ticket.player, number=ticket.number, words=ticket.lucky_words
        ),
    )
    if expected != ticket.roll:
        verdict.complain(f"{name}: roll {ticket.roll}, the seed says {expected}.")


def _check_payments(tickets: list[DrawTicket], verdict: Verdict) -> None:
    """Each draw was paid once, and points won were credited once."""
    keys = {}
    for ticket in tickets:
        keys[derived_uuid("draw-cost", str(ticket.key))] = (ticket, -ticket.points)
        if ticket.points_won:
            keys[derived_uuid("draw-prize", str(ticket.key))] = (ticket, ticket.points_won)
    found = dict(Entry.objects.filter(key__in=list(keys)).values_list("key", "delta"))
    for key, (ticket, delta) in keys.items():
        if found.get(key) != delta:
            verdict.complain(f"Draw {ticket.key}: {found.get(key)} points booked, not {delta}.")
