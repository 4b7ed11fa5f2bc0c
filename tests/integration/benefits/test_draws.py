"""Lucky draws: published odds, prizes that do not run over, and a proof for every draw."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from benefits.catalogue.codes import create_pool, import_codes
from benefits.catalogue.models import PoolCode
from benefits.grants.models import Grant
from benefits.mall.draws import fairness, operations, queries
from benefits.mall.draws.errors import (
    DrawClosedError,
    DrawCodeTakenError,
    DrawFixedError,
    DrawLimitError,
    DrawStateError,
    InvalidDrawError,
    UnknownDrawError,
    UnknownTicketError,
)
from benefits.mall.draws.models import DrawPrize, DrawSeed, DrawTicket, LuckyDraw
from benefits.mall.draws.operations import PrizeDraft
from benefits.mall.errors import KeyReusedError, NotForYouError
from members.points.errors import InsufficientPointsError
from members.points.models import Entry
from members.profiles.errors import BlockedMemberError
from members.profiles.models import Member
from members.profiles.operations import block_member
from tests.integration.benefits.world import (
    STAFF,
    World,
    acting,
    event_types,
    figures,
    problems,
    some_key,
)


def prize(kind: str = "nothing", weight: int = 1_000_000, **facts: Any) -> PrizeDraft:
    """Return a prize with a name."""
    return PrizeDraft(kind=kind, name={"en": kind.title()}, weight=weight, **facts)


def draw_of(world: World, *prizes: PrizeDraft, is_open: bool = True, **facts: Any) -> LuckyDraw:
    """Return an open draw that costs ten points."""
    made = operations.create_draw(
        **{
            "code": f"draw-{world.next()}",
            "name": {"en": "Spring draw"},
            "points": 10,
            "prizes": prizes or (prize(is_fallback=True),),
            **facts,
        },
        by=STAFF,
        at=world.at - timedelta(days=1),
    )
    if is_open:
        made = operations.open_draw(draw=made, by=STAFF, at=world.at - timedelta(days=1))
    return made


def player(world: World, points: int = 1_000) -> Member:
    """Return a member with points."""
    member = world.member()
    if points:
        world.points(member, points)
    return member


def play(world: World, member: Member, draw: LuckyDraw, **facts: Any) -> DrawTicket:
    """Draw once."""
    given = {"key": some_key(), "by": acting(member), "at": world.at, **facts}
    return operations.play(member=member, draw=draw, **given)


def counts() -> tuple[int, ...]:
    """Return what a refused draw must leave as it was."""
    return (
        DrawTicket.objects.count(),
        Entry.objects.count(),
        Grant.objects.count(),
        PoolCode.objects.filter(taken_at__isnull=False).count(),
        sum(DrawPrize.objects.values_list("awarded", flat=True)),
    )


def test_a_draw_costs_points_and_gives_the_prize_at_its_roll(world: World) -> None:
    draw = draw_of(
        world, prize("points", 400_000, points=25), prize("nothing", 600_000, is_fallback=True)
    )
    member = player(world)
    key = some_key()

    tickets = [play(world, member, draw, words=f"w{n}") for n in range(12)]
    first = play(world, member, draw, key=key, words="again")
    assert play(world, member, draw, key=key).pk == first.pk

    tickets.append(first)
    won = sum(ticket.points_won for ticket in tickets)
    assert {t.points_won for t in tickets} <= {0, 25}
    assert world.balance(member) == (1_000 - 130 + won, 0)
    assert [t.number for t in tickets] == list(range(1, 14))
    seed = DrawSeed.objects.get(draw=draw)
    for ticket in tickets:
        expected = fairness.roll(
            seed=seed.seed,
            message=fairness.message_of(
                draw=draw.code,
                player=fairness.player_name(draw=draw.code, member=member.number),
                number=ticket.number,
                words=ticket.lucky_words,
            ),
        )
        assert ticket.roll == expected
        assert ticket.prize.kind == ("points" if expected < 400_000 else "nothing")
    assert event_types(f"member:{member.pk}").count("lucky_draw.drawn") == 13
    assert queries.verify_draw(draw=draw).problems == []
    assert problems() == []


def test_a_scarce_prize_is_given_as_often_as_there_is(world: World) -> None:
    draw = draw_of(
        world,
        prize("points", 900_000, points=500, stock=2),
        prize("points", 100_000, points=1, is_fallback=True),
    )
    member = player(world)

    tickets = [play(world, member, draw) for _time in range(20)]

    won = Counter(ticket.points_won for ticket in tickets)
    drawn = sum(ticket.drawn.stock is not None for ticket in tickets)
    assert drawn > 2
    assert won == {500: 2, 1: 18}
    assert Counter(ticket.fallback_reason for ticket in tickets) == {
        "": 20 - (drawn - 2),
        "stock": drawn - 2,
    }
    assert DrawPrize.objects.get(draw=draw, position=0).awarded == 2
    assert queries.verify_draw(draw=draw).problems == []
    assert problems() == []


def test_prizes_are_codes_and_benefits_too(world: World) -> None:
    pool = create_pool(code="cinema", name="Cinema", by=STAFF, at=world.at)
    import_codes(pool=pool, codes=["A", "B"], by=STAFF, at=world.at)
    codes = draw_of(
        world,
        prize("code", 999_999, code_pool=pool, stock=2),
        prize("nothing", 1, is_fallback=True),
    )
    tea = draw_of(
        world,
        prize("benefit", 999_999, benefit=world.benefit(), benefit_validity_days=30),
        prize("nothing", 1, is_fallback=True),
    )
    member = player(world)

    won = [play(world, member, codes) for _time in range(3)]
    right = play(world, member, tea)

    assert sorted(ticket.code for ticket in won) == ["", "A", "B"]
    assert {code.taken_for for code in PoolCode.objects.all()} == {
        f"lucky_draw:{ticket.key}" for ticket in won if ticket.code
    }
    assert right.grant is not None
    assert (right.grant.quantity, right.grant.ends_at) == (1, world.at + timedelta(days=30))
    assert right.grant.reason == {"code": "won", "draw": tea.code}
    assert queries.verify_draw(draw=codes).is_good
    assert problems() == []


def test_a_prize_that_can_not_be_given_is_stood_in_for(world: World) -> None:
    pool = create_pool(code="cinema", name="Cinema", by=STAFF, at=world.at)
    import_codes(pool=pool, codes=["A"], by=STAFF, at=world.at)
    draw = draw_of(
        world,
        prize("code", 999_999, code_pool=pool, stock=1),
        prize("points", 1, points=3, is_fallback=True),
    )
    # Somebody else's item took the last code.
    PoolCode.objects.update(taken_at=world.at, taken_for="test:1")

    ticket = play(world, player(world), draw)

    assert (ticket.points_won, ticket.fallback_reason, ticket.code) == (3, "codes", "")
    assert DrawPrize.objects.get(draw=draw, position=0).awarded == 0
    assert queries.verify_draw(draw=draw).is_good


def test_draws_are_booked_on_the_budget(world: World) -> None:
    line = world.line(kind="mall", code="mall")
    draw = draw_of(
        world, prize("nothing", 1_000_000, is_fallback=True, unit_cost_minor=70), budget_line=line
    )
    ticket = play(world, player(world), draw)
    assert (ticket.cost_minor, figures(line)) == (70, (0, 70))


def test_a_draw_refuses_without_a_trace(world: World) -> None:
    member, poor = player(world), player(world, 9)
    blocked = player(world)
    block_member(member=blocked, reason="fraud", by=STAFF, at=world.at)
    blocked.refresh_from_db()
    soon = world.at + timedelta(hours=1)
    limited = draw_of(world, per_member_limit=1)
    daily = draw_of(world, per_day_limit=1)
    key = some_key()
    play(world, member, limited, key=key)
    play(world, member, daily)
    refusals: list[tuple[Member, LuckyDraw, dict[str, Any], type[Exception], Any]] = [
        (poor, draw_of(world), {}, InsufficientPointsError, {"missing": 1}),
        (blocked, draw_of(world), {}, BlockedMemberError, {}),
        (
            member,
            draw_of(world, is_open=False),
            {},
            DrawClosedError,
            {"status": "draft", "starts_at": None},
        ),
        (
            member,
            draw_of(world, starts_at=soon),
            {},
            DrawClosedError,
            {"status": "open", "starts_at": "2026-03-15T05:00:00+00:00"},
        ),
        (
            member,
            draw_of(world, ends_at=world.at),
            {},
            DrawClosedError,
            {"status": "open", "starts_at": None},
        ),
        (
            member,
            draw_of(world, condition={"field": "region", "op": "=", "value": "south"}),
            {},
            NotForYouError,
            {},
        ),
        (member, limited, {}, DrawLimitError, {"limit": 1}),
        (
            member,
            daily,
            {},
            DrawLimitError,
            {"limit": 1, "next_at": "2026-03-16T00:00:00+08:00"},
        ),
        (member, draw_of(world), {"words": "x" * 61}, InvalidDrawError, {"pointer": "/words"}),
        (member, draw_of(world), {"key": key}, KeyReusedError, {"key": str(key)}),
    ]
    for who, what, facts, error, data in refusals:
        before = (counts(), world.balance(who))
        with pytest.raises(error) as refused:
            play(world, who, what, **facts)
        assert refused.value.data == data  # type: ignore[attr-defined]
        assert (counts(), world.balance(who)) == before
    # A new day brings a new draw.
    assert play(world, member, daily, at=world.at + timedelta(days=1)).number == 2
    assert problems() == []


@pytest.mark.parametrize(
    ("prizes", "pointer", "data"),
    [
        ([], "/prizes", {}),
        ([prize(weight=999_999)], "/prizes", {"total": 999_999}),
        ([prize("points", 1_000_000, points=5, stock=3)], "/prizes", {}),
    ],
)
def test_odds_are_checked_before_they_are_published(
    world: World, prizes: list[PrizeDraft], pointer: str, data: dict[str, Any]
) -> None:
    draw = draw_of(world, is_open=False)
    operations.set_prizes(draw=draw, prizes=prizes, by=STAFF, at=world.at)
    with pytest.raises(InvalidDrawError) as refused:
        operations.open_draw(draw=draw, by=STAFF, at=world.at)
    assert refused.value.data == {"pointer": pointer, **data}
    draw.refresh_from_db()
    assert (draw.status, draw.odds_hash, DrawSeed.objects.count()) == ("draft", "", 0)


def test_a_pool_must_hold_what_a_draw_promises(world: World) -> None:
    pool = create_pool(code="cinema", name="Cinema", by=STAFF, at=world.at)
    import_codes(pool=pool, codes=["A"], by=STAFF, at=world.at)
    draw = draw_of(
        world,
        prize("code", 500_000, code_pool=pool, stock=2),
        prize("nothing", 500_000, is_fallback=True),
        is_open=False,
    )
    with pytest.raises(InvalidDrawError) as refused:
        operations.open_draw(draw=draw, by=STAFF, at=world.at)
    assert refused.value.data == {"pointer": "/prizes/0/stock", "free": 1}


@pytest.mark.parametrize(
    ("draft", "pointer"),
    [
        (prize("car"), "/prizes/0/kind"),
        (prize(weight=0), "/prizes/0/weight"),
        (prize(weight=1_000_001), "/prizes/0/weight"),
        (prize("points"), "/prizes/0/points"),
        (prize("nothing", points=5), "/prizes/0/points"),
        (prize("code"), "/prizes/0/code_pool"),
        (prize("benefit"), "/prizes/0/benefit"),
        (prize(stock=0), "/prizes/0/stock"),
        (prize(stock=1, is_fallback=True), "/prizes/0/is_fallback"),
        (prize(unit_cost_minor=-1), "/prizes/0/unit_cost_minor"),
    ],
)
def test_prizes_refuse_wrong_values(world: World, draft: PrizeDraft, pointer: str) -> None:
    with pytest.raises(InvalidDrawError) as refused:
        draw_of(world, draft)
    assert refused.value.data["pointer"] == pointer
    assert not LuckyDraw.objects.exists()


def test_what_is_published_stays(world: World) -> None:
    draw = draw_of(world)
    with pytest.raises(DrawFixedError):
        operations.set_prizes(draw=draw, prizes=[prize()], by=STAFF, at=world.at)
    with pytest.raises(DrawFixedError):
        operations.update_draw(draw=draw, points=5, by=STAFF, at=world.at)
    changed = operations.update_draw(
        draw=draw, name={"en": "Summer draw"}, per_day_limit=3, by=STAFF, at=world.at
    )
    assert (changed.name, changed.per_day_limit, changed.points) == (
        {"en": "Summer draw"},
        3,
        10,
    )
    with pytest.raises(DrawCodeTakenError):
        draw_of(world, code=draw.code)
    play(world, player(world), draw)
    with pytest.raises(DatabaseError, match="append"), transaction.atomic():
        DrawTicket.objects.update(roll=1)


def test_a_seed_is_a_secret_until_it_is_revealed(world: World, run: Callable[..., Any]) -> None:
    draw = draw_of(world)
    member = player(world)
    ticket = play(world, member, draw)
    (sealed,) = queries.list_seeds(draw=draw)
    assert (sealed.seed, sealed.decided) == ("", 1)
    assert queries.get_ticket(key=ticket.key).seed.seed == ""
    assert (queries.verify_draw(draw=draw).checked, queries.verify_draw(draw=draw).sealed) == (0, 1)

    tonight = world.at + timedelta(hours=13)
    results = [run("mall.turn_draw_seeds", at=tonight) for _time in range(3)]

    assert [result["revealed"] for result in results] == [1, 0, 0]
    new, old = queries.list_seeds(draw=draw)
    assert (new.number, new.seed, old.number) == (2, "", 1)
    assert fairness.commitment(old.seed) == sealed.seed_hash
    later = play(world, member, draw, at=tonight)
    assert later.seed_id == new.pk
    verdict = queries.verify_draw(draw=draw)
    assert (verdict.checked, verdict.sealed, verdict.problems) == (1, 1, [])


def test_a_draw_ends_in_time_and_shows_all(world: World, run: Callable[..., Any]) -> None:
    end = world.at + timedelta(days=2)
    draw = draw_of(world, ends_at=end)
    play(world, player(world), draw)
    assert run("mall.turn_draw_seeds", at=end) == {"ended": 1, "revealed": 0}
    draw.refresh_from_db()
    assert draw.status == "ended"
    verdict = queries.verify_draw(draw=draw)
    assert (verdict.checked, verdict.sealed, verdict.is_good) == (1, 0, True)
    with pytest.raises(DrawStateError):
        operations.open_draw(draw=draw, by=STAFF, at=end)
    with pytest.raises(DrawStateError):
        operations.rotate_seed(draw=draw, by=STAFF, at=end)


def test_a_paused_draw_goes_on_with_its_odds(world: World) -> None:
    draw = draw_of(world)
    digest = draw.odds_hash
    member = player(world)
    draw = operations.pause_draw(draw=draw, by=STAFF, at=world.at)
    with pytest.raises(DrawClosedError):
        play(world, member, draw)
    draw = operations.open_draw(draw=draw, by=STAFF, at=world.at)
    assert (draw.odds_hash, DrawSeed.objects.count()) == (digest, 1)
    play(world, member, draw)


def tamper(sql: str) -> None:
    """Change what nobody may change."""
    tables = ("benefits_drawticket", "members_entry")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE benefits_drawticket SET roll = (roll + 1) % 1000000", "the seed says"),
        ("UPDATE benefits_drawticket SET lucky_words = 'other'", "the seed says"),
        ("UPDATE benefits_drawticket SET number = number + 100", "expected 1"),
        ("UPDATE benefits_drawseed SET seed = repeat('ab', 32)", "committed to"),
        (
            (
                "UPDATE benefits_drawprize SET weight = 500001 WHERE position = 0;"
                "UPDATE benefits_drawprize SET weight = 499999 WHERE position = 1"
            ),
            "not those that were published",
        ),
        ("UPDATE benefits_drawprize SET awarded = awarded - 1 WHERE stock IS NOT NULL", "counted"),
        ("UPDATE members_entry SET delta = delta - 1 WHERE source_type = 'lucky_draw'", "booked"),
        (
            (
                "UPDATE benefits_drawticket t SET fallback_reason = 'stock', prize_id ="
                " (SELECT id FROM benefits_drawprize WHERE draw_id = t.draw_id AND is_fallback)"
            ),
            "though some were left",
        ),
    ],
)
def test_whatever_is_bent_is_found(world: World, sql: str, words: str) -> None:
    draw = draw_of(
        world,
        prize("points", 500_000, points=5, stock=1_000),
        prize("points", 499_999, points=1, stock=1_000),
        prize("nothing", 1, is_fallback=True),
    )
    member = player(world)
    for _time in range(6):
        play(world, member, draw)
    draw = operations.end_draw(draw=draw, by=STAFF, at=world.at)
    assert queries.verify_draw(draw=draw).problems == []

    tamper(sql)

    found = queries.verify_draw(draw=draw).problems
    assert any(words in line for line in found), found


def test_a_member_sees_draws_with_what_is_missing(
    world: World, django_assert_max_num_queries: Any
) -> None:
    member = player(world, 15)
    plain = draw_of(world, code="plain", per_day_limit=3)
    draw_of(world, code="dear", points=40)
    draw_of(world, code="hidden", condition={"field": "region", "op": "=", "value": "south"})
    draw_of(world, code="draft", is_open=False)
    play(world, member, plain)

    with django_assert_max_num_queries(4):
        found = queries.list_offers(member=member, at=world.at, lang="en")

    assert [(offer.draw.code, offer.available, offer.left) for offer in found] == [
        ("plain", False, 2),
        ("dear", False, None),
    ]
    assert [reason.data for offer in found for reason in offer.reasons] == [
        {"missing": 5},
        {"missing": 35},
    ]
    for code in ("hidden", "draft", "none"):
        with pytest.raises(UnknownDrawError):
            queries.get_offer(code=code, member=member, at=world.at, lang="en")
    ticket = DrawTicket.objects.get()
    with pytest.raises(UnknownTicketError):
        queries.get_ticket(key=ticket.key, member=world.member())


def test_figures_say_what_a_draw_takes_and_gives(world: World) -> None:
    draw = draw_of(
        world,
        prize("points", 250_000, points=20, unit_cost_minor=100),
        prize("nothing", 750_000, is_fallback=True),
    )
    member = player(world)
    tickets = [play(world, member, draw) for _time in range(8)]
    prizes = queries.list_prizes(draw=draw)

    found = queries.get_figures(draw=draw, prizes=prizes)

    won = [ticket for ticket in tickets if ticket.points_won]
    assert (found.tickets, found.members, found.points_in) == (8, 1, 80)
    assert found.points_out == 20 * len(won)
    assert found.cost_minor == sum(ticket.cost_minor for ticket in tickets)
    assert found.expected_points_out == 5_000
    assert [p.won for p in prizes] == [len(won), 8 - len(won)]  # type: ignore[attr-defined]
    assert queries.list_tickets(draw=draw, limit=3)[0].pk == tickets[-1].pk
    assert len(queries.list_tickets(member=member, after=tickets[2].pk)) == 2


def test_the_command_says_whether_a_draw_adds_up(world: World, brand: Any) -> None:
    draw = draw_of(world, code="wheel")
    play(world, player(world), draw)
    operations.end_draw(draw=draw, by=STAFF, at=world.at)
    said = StringIO()
    call_command("verify_draw", brand.slug, "wheel", stdout=said)
    assert said.getvalue() == (
        "1 done again, 0 wait for their seed, 0 of erased members; 0 problems\n"
    )
    tamper("UPDATE benefits_drawticket SET roll = (roll + 1) % 1000000")
    with pytest.raises(CommandError):
        call_command("verify_draw", brand.slug, "wheel", stdout=said, stderr=said)
    with pytest.raises(CommandError):
        call_command("verify_draw", brand.slug, "nothing")
