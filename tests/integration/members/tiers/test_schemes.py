"""Schemes: made, published once, never edited; where members stand and how they moved."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.utils import IntegrityError

from core.actors import SYSTEM
from members.profiles.models import Member
from members.tiers.errors import (
    InvalidSchemeError,
    OverlappingSchemeError,
    SchemeNotFoundError,
    SchemePublishedError,
)
from members.tiers.models import MemberTier, Tier, TierChange, TierScheme
from members.tiers.moves import tier_moves
from members.tiers.operations import (
    check_member,
    create_scheme,
    delete_draft,
    evaluate_range,
    mark_replaced,
    publish_scheme,
)
from members.tiers.queries import (
    get_scheme,
    get_scheme_version,
    get_standing,
    get_tiers_of,
    list_schemes,
    list_tiers,
    tier_sizes,
)
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tenants.jobs.models import Job
from tests.integration.members.tiers.world import DRAFTS, give, join, make_scheme, noon

TODAY = date(2026, 3, 15)


def draft(**fields: Any) -> TierScheme:
    values: dict[str, Any] = {"metric": "growth", "window": "lifetime", "tiers": DRAFTS, **fields}
    return create_scheme(by=SYSTEM, at=noon(TODAY), **values)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"metric": "luck"}, "/metric"),
        ({"window": "week"}, "/window"),
        ({"downgrade_policy": "sometimes"}, "/downgrade_policy"),
        ({"window": "rolling"}, "/window_months"),
        ({"window": "rolling", "window_months": 0}, "/window_months"),
        ({"window_months": 12}, "/window_months"),
        ({"notice_days": 367}, "/notice_days"),
        ({"tiers": ()}, "/tiers"),
        ({"tiers": (replace(DRAFTS[0], entry_threshold=1),)}, "/tiers/0/entry_threshold"),
        ({"tiers": (DRAFTS[0], DRAFTS[0])}, "/tiers/1/code"),
        (
            {"tiers": (DRAFTS[0], replace(DRAFTS[1], entry_threshold=0, keep_threshold=0))},
            "/tiers/1/entry_threshold",
        ),
        (
            {"tiers": (DRAFTS[0], replace(DRAFTS[1], keep_threshold=101))},
            "/tiers/1/keep_threshold",
        ),
        ({"tiers": (replace(DRAFTS[0], code="Bad Code"),)}, "/tiers/0/code"),
        ({"tiers": (replace(DRAFTS[0], name={}),)}, "/tiers/0/name"),
        ({"tiers": (replace(DRAFTS[0], grace_days=-1),)}, "/tiers/0/grace_days"),
        ({"tiers": (replace(DRAFTS[0], multiplier_bp=-1),)}, "/tiers/0/multiplier_bp"),
        ({"tiers": (replace(DRAFTS[0], colour="red"),)}, "/tiers/0/colour"),
    ],
)
def test_wrong_scheme_is_refused(brand: Brand, fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidSchemeError) as refused:
        draft(**fields)
    assert refused.value.data["pointer"] == pointer
    assert not TierScheme.objects.exists()
    assert not Tier.objects.exists()


def test_scheme_is_in_force_from_its_day(brand: Brand) -> None:
    first = publish_scheme(scheme=draft(), starts_on=TODAY, by=SYSTEM, at=noon(TODAY))
    later = TODAY + timedelta(days=10)
    second = publish_scheme(scheme=draft(), starts_on=later, by=SYSTEM, at=noon(TODAY))
    draft()
    assert get_scheme(on=TODAY - timedelta(days=1)) is None
    assert get_scheme(on=TODAY) == first
    assert get_scheme(on=later - timedelta(days=1)) == first
    assert get_scheme(on=later) == second
    assert [scheme.version for scheme in list_schemes()] == [3, 2, 1]
    assert [tier.code for tier in list_tiers(on=later)] == ["basic", "silver", "gold"]
    assert list_tiers(on=TODAY - timedelta(days=1)) == []
    jobs = Job.objects.filter(brand_id=brand.pk, kind="tiers.evaluate").order_by("dedupe_key")
    assert [(job.dedupe_key, job.due_at) for job in jobs] == [
        ("scheme-1", noon(TODAY)),
        ("scheme-2", noon(later) - timedelta(hours=12)),
    ]
    audited = AuditEntry.objects.filter(target_type="tier_scheme", target_id="1").order_by("pk")
    assert [entry.action for entry in audited] == ["tier_scheme.created", "tier_scheme.published"]


def test_replaced_scheme_is_marked(brand: Brand) -> None:
    publish_scheme(scheme=draft(), starts_on=TODAY, by=SYSTEM, at=noon(TODAY))
    tomorrow = TODAY + timedelta(days=1)
    publish_scheme(scheme=draft(), starts_on=tomorrow, by=SYSTEM, at=noon(TODAY))
    assert get_scheme_version(version=1).status == "published"
    mark_replaced(on=tomorrow)
    assert get_scheme_version(version=1).status == "replaced"
    assert get_scheme_version(version=2).status == "published"
    with pytest.raises(SchemeNotFoundError):
        get_scheme_version(version=3)


@pytest.mark.parametrize("days", [0, 9, 10])
def test_overlapping_schemes_are_refused_with_the_next_free_day(brand: Brand, days: int) -> None:
    publish_scheme(scheme=draft(), starts_on=TODAY + timedelta(days=10), by=SYSTEM, at=noon(TODAY))
    second, on = draft(), TODAY + timedelta(days=days)
    with pytest.raises(OverlappingSchemeError) as refused:
        publish_scheme(scheme=second, starts_on=on, by=SYSTEM, at=noon(TODAY))
    assert refused.value.data["pointer"] == "/starts_on"
    assert refused.value.data["earliest"] == "2026-03-26"
    second.refresh_from_db()
    assert (second.status, second.starts_on) == ("draft", None)
    publish_scheme(scheme=second, starts_on=TODAY + timedelta(days=11), by=SYSTEM, at=noon(TODAY))


def test_refused_publishing_changes_nothing(brand: Brand) -> None:
    older, newer = draft(), draft()
    with pytest.raises(InvalidSchemeError) as refused:
        publish_scheme(scheme=newer, starts_on=TODAY - timedelta(days=1), by=SYSTEM, at=noon(TODAY))
    assert refused.value.data["pointer"] == "/starts_on"
    publish_scheme(scheme=newer, starts_on=TODAY, by=SYSTEM, at=noon(TODAY))
    with pytest.raises(SchemePublishedError):
        publish_scheme(scheme=newer, starts_on=TODAY, by=SYSTEM, at=noon(TODAY))
    with pytest.raises(InvalidSchemeError):
        publish_scheme(scheme=older, starts_on=TODAY, by=SYSTEM, at=noon(TODAY))
    with pytest.raises(SchemePublishedError):
        delete_draft(scheme=newer, by=SYSTEM, at=noon(TODAY))
    older.refresh_from_db()
    assert older.status == "draft"
    delete_draft(scheme=older, by=SYSTEM, at=noon(TODAY))
    assert [scheme.version for scheme in list_schemes()] == [2]


def test_database_refuses_to_change_what_is_published(brand: Brand) -> None:
    scheme = publish_scheme(scheme=draft(), starts_on=TODAY, by=SYSTEM, at=noon(TODAY))
    gold = Tier.objects.get(scheme=scheme, code="gold")

    def refused(work: Any) -> None:
        with pytest.raises(IntegrityError, match="published"), transaction.atomic():
            work()

    refused(lambda: Tier.objects.filter(pk=gold.pk).update(entry_threshold=1))
    refused(lambda: Tier.objects.filter(pk=gold.pk).delete())
    refused(
        lambda: Tier.objects.create(
            scheme=scheme, rank=4, code="x", name={}, entry_threshold=900, keep_threshold=0
        )
    )
    refused(lambda: TierScheme.objects.filter(pk=scheme.pk).update(metric="spend"))
    refused(lambda: TierScheme.objects.filter(pk=scheme.pk).update(status="draft"))
    gold.refresh_from_db()
    assert gold.entry_threshold == 500


def test_check_raises_at_once_and_never_lowers(brand: Brand) -> None:
    make_scheme(window="calendar_year")
    member = join()
    assert check_member(member_id=member.pk, at=noon(TODAY), cause="purchase") is None
    give(member, 500, on=TODAY)
    change = check_member(member_id=member.pk, at=noon(TODAY), cause="purchase")
    assert change is not None
    assert (change.from_tier.code, change.to_tier.code) == ("basic", "gold")
    assert (change.window_from, change.window_to) == (date(2026, 1, 1), date(2026, 3, 16))
    assert MemberTier.objects.get(pk=member.pk).valid_until == date(2028, 1, 1)
    assert check_member(member_id=member.pk, at=noon(TODAY), cause="purchase") is None
    next_year = date(2027, 6, 1)
    assert check_member(member_id=member.pk, at=noon(next_year), cause="purchase") is None
    standing = get_standing(member_id=member.pk, at=noon(next_year))
    assert standing is not None
    assert (standing.tier.code, standing.metric_value, standing.missing_to_keep) == (
        "gold",
        0,
        400,
    )
    assert standing.valid_until == date(2028, 1, 1)
    assert standing.next_tier is None


def test_standing_of_a_member_who_has_nothing_yet(brand: Brand) -> None:
    member = join()
    assert get_standing(member_id=member.pk, at=noon(TODAY)) is None
    assert get_tiers_of(member_ids=[member.pk], on=TODAY) == {}
    make_scheme(window="lifetime")
    standing = get_standing(member_id=member.pk, at=noon(TODAY))
    assert standing is not None
    assert (standing.tier.code, standing.metric_value, standing.missing) == ("basic", 0, 100)
    assert standing.next_tier is not None
    assert (standing.next_tier.code, standing.valid_until, standing.since) == (
        "silver",
        None,
        None,
    )
    held = get_tiers_of(member_ids=[member.pk], on=TODAY)
    assert held[member.pk].code == "basic"


def test_sizes_and_moves(brand: Brand) -> None:
    make_scheme(window="lifetime")
    begin = TODAY - timedelta(days=30)
    stayed, rose, joined_since = join(), join(), join(TODAY - timedelta(days=3))
    blocked = join()
    Member.objects.filter(pk=blocked.pk).update(status="blocked")
    give(stayed, 100, on=begin)
    check_member(member_id=stayed.pk, at=noon(begin), cause="purchase")
    for member, growth in ((rose, 500), (joined_since, 100)):
        give(member, growth, on=TODAY)
        check_member(member_id=member.pk, at=noon(TODAY), cause="purchase")
    sizes = {size.tier.code: size.members for size in tier_sizes(on=TODAY)}
    others = Member.objects.filter(status="active").count() - 3
    assert sizes == {"basic": others, "silver": 2, "gold": 1}
    moves = {
        (move.from_tier.code if move.from_tier else None, move.to_tier.code): move.members
        for move in tier_moves(since=noon(TODAY - timedelta(days=7)), on=TODAY)
    }
    expected = {("silver", "silver"): 1, ("basic", "gold"): 1, (None, "silver"): 1}
    assert {key: value for key, value in moves.items() if key != ("basic", "basic")} == expected
    assert moves.get(("basic", "basic"), 0) == others


def test_erased_members_are_left_alone(brand: Brand) -> None:
    make_scheme(window="lifetime")
    member = join()
    give(member, 500, on=TODAY)
    Member.objects.filter(pk=member.pk).update(status="erased")
    evaluate_range(low=member.pk, high=member.pk + 1, on=TODAY, at=noon(TODAY))
    assert not MemberTier.objects.filter(pk=member.pk).exists()
    assert not TierChange.objects.exists()
