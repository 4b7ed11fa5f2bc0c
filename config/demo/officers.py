"""A round of experience officers under way: seats taken, diaries kept, ideas voted for."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from benefits.officers import operations
from benefits.officers.models import OfficerSeat
from config.demo.programme import Programme
from config.demo.specs import BrandSpec
from core import clock
from core.actors import Actor

_SEATS = 8
_WORDS: dict[str, dict[str, str | list[str]]] = {
    "zh": {
        "title": "新权益体验团",
        "brief": "请试用两周，每次体验后写一篇日记。",
        "questions": ["容易找到吗？", "使用方便吗？", "值得推荐吗？"],
        "diary": ["预约很快，店员很热情。", "入口有点难找。", "体验不错，希望时段更多。"],
        "ideas": ["增加晚间时段", "在首页放入口"],
        "finding": "多数体验官第一次没有找到入口。",
        "said": "入口难找，晚间时段太少。",
        "did": "首页已增加入口；下月起开放晚间时段。",
    },
    "en": {
        "title": "Try-out of the new benefit",
        "brief": "Please try it for two weeks, and write a line after each use.",
        "questions": ["Easy to find?", "Easy to use?", "Worth telling a friend?"],
        "diary": ["Booked in a minute.", "Hard to find at first.", "Good, but too few times."],
        "ideas": ["More times in the evening", "Show it on the first page"],
        "finding": "Most officers did not find it at first.",
        "said": "Hard to find, and too few times in the evening.",
        "did": "It is on the first page now; evenings follow next month.",
    },
}


def run_round(spec: BrandSpec, made: Programme, *, now: datetime) -> None:
    """Open a round on the pilot's benefit nine days ago and let its officers take part."""
    piloted = [rule.benefit for rule in spec.rules if rule.budget == "pilot" and rule.benefit]
    code = piloted[0] if piloted else next(iter(made.benefits))
    words = _WORDS["zh" if spec.locale.startswith("zh") else "en"]
    manager, at = made.actor("manager"), now - timedelta(days=9)
    today = clock.local_date(now, spec.timezone)
    found = operations.create_round(
        benefit=made.benefits[code],
        title=str(words["title"]),
        brief=str(words["brief"]),
        seats=_SEATS,
        ends_on=today + timedelta(days=12),
        questions=list(words["questions"]),
        thank_points=200,
        least_entries=2,
        by=manager,
        at=at,
    )
    operations.open_round(officer_round=found, invite=3 * _SEATS, by=manager, at=at)
    seats = OfficerSeat.objects.filter(round=found).select_related("member").order_by("pk")
    _take_part(list(seats[: _SEATS - 1]), words, at=at, days=9, rng=random.Random(spec.slug))
    operations.add_finding(
        officer_round=found, cause="not_seen", words=str(words["finding"]), by=manager, at=now
    )
    operations.publish_note(
        officer_round=found,
        you_said=str(words["said"]),
        we_did=str(words["did"]),
        by=manager,
        at=now,
    )


def _take_part(
    seats: Sequence[OfficerSeat],
    words: dict[str, str | list[str]],
    *,
    at: datetime,
    days: int,
    rng: random.Random,
) -> None:
    ideas = []
    for number, seat in enumerate(seats):
        by = Actor(kind="member", id=seat.member_id)
        facts = {"officer_round": seat.round, "member": seat.member, "by": by}
        operations.accept(**facts, at=at + timedelta(hours=number + 1))  # type: ignore[arg-type]
        for day in sorted(rng.sample(range(1, days), rng.randint(1, 3))):
            operations.write_diary(
                **facts,  # type: ignore[arg-type]
                scores=[rng.randint(2, 4), rng.randint(3, 5), rng.randint(3, 5)],
                words=rng.choice(list(words["diary"])),
                at=at + timedelta(days=day),
            )
        if number < len(words["ideas"]):
            text = list(words["ideas"])[number]
            ideas.append(
                operations.add_idea(**facts, words=text, at=at + timedelta(days=2))  # type: ignore[arg-type]
            )
        else:
            operations.vote(
                idea=rng.choice(ideas), member=seat.member, by=by, at=at + timedelta(days=3)
            )
