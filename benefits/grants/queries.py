"""Reads of rights and their use."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from benefits.catalogue.models import Benefit
from benefits.grants._usable import UsableBenefit, what_may_i_use
from benefits.grants.errors import UnknownGrantError, UnknownRedemptionError
from benefits.grants.fulfilment import ChannelStatus, get_channel
from benefits.grants.models import Grant, Redemption, RedemptionStep, RulePeriod
from benefits.grants.reminders import list_services_due
from benefits.grants.states import OPEN
from benefits.grants.usability import Reason
from benefits.rules.models import GrantRule
from members.profiles.models import Member

__all__ = [
    "ChannelStatus",
    "Reason",
    "UsableBenefit",
    "count_for_staff",
    "find_by_code",
    "fulfilment_status",
    "get_grant",
    "get_redemption",
    "list_benefit_grants",
    "list_by_id",
    "list_grants",
    "list_redemptions",
    "list_rule_periods",
    "list_services_due",
    "list_steps",
    "list_to_rate",
    "what_may_i_use",
]


def get_grant(*, grant_id: int, member: Member | None = None) -> Grant:
    """Return a grant, of this member where one is given.

    :raises UnknownGrantError: if there is none, or it is another member's.
    """
    grants = Grant.objects.select_related("benefit", "terms", "rule", "member")
    if member is not None:
        grants = grants.filter(member=member)
    grant = grants.filter(pk=grant_id).first()
    if grant is None:
        raise UnknownGrantError(grant=grant_id)
    return grant


def list_grants(*, member: Member, active_at: datetime | None = None) -> list[Grant]:
    """Return a member's grants, newest first; with `active_at` those not ended or revoked."""
    grants = Grant.objects.select_related("benefit", "terms", "rule").filter(member=member)
    if active_at is not None:
        grants = grants.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=active_at), revoked_at__isnull=True
        )
    return list(grants.order_by("-pk"))


def list_benefit_grants(
    *, benefit: Benefit, since: datetime, after: int | None = None, limit: int = 50
) -> list[Grant]:
    """Return the grants of a benefit issued since an instant, newest first.

    `since` keeps the search to a part of the table: there is no index by benefit.
    """
    grants = Grant.objects.select_related("member", "rule").filter(
        benefit=benefit, issued_at__gte=since
    )
    if after is not None:
        grants = grants.filter(pk__lt=after)
    return list(grants.order_by("-pk")[:limit])


def list_rule_periods(*, rule: GrantRule, limit: int = 24) -> list[RulePeriod]:
    """Return what a rule has issued, period by period, the latest first."""
    return list(
        RulePeriod.objects.filter(rule=rule, scope=RulePeriod.Scope.PERIOD).order_by(
            "-last_issued_at", "-pk"
        )[:limit]
    )


def get_redemption(
    *,
    id: int | None = None,  # noqa: A002
    key: UUID | None = None,
    member: Member | None = None,
) -> Redemption:
    """Return a redemption by its key or the caller's, of this member where one is given.

    :raises UnknownRedemptionError: if there is none, or it is another member's.
    """
    redemptions = _redemptions()
    if member is not None:
        redemptions = redemptions.filter(member=member)
    found = (
        redemptions.filter(pk=id or 0).first()
        if key is None
        else redemptions.filter(key=key).first()
    )
    if found is None:
        raise UnknownRedemptionError(redemption=id if key is None else str(key))
    return found


def list_by_id(*, ids: Sequence[int]) -> dict[int, Redemption]:
    """Return redemptions by their keys; unknown ones are left out."""
    return {row.pk: row for row in _redemptions().filter(pk__in=ids)} if ids else {}


def find_by_code(*, code: str) -> Redemption:
    """Return the newest redemption with a code that a member shows at the till.

    :raises UnknownRedemptionError: if there is none.
    """
    cleaned = code.strip().upper()
    found = _redemptions().filter(code=cleaned).order_by("-pk").first() if cleaned else None
    if found is None:
        raise UnknownRedemptionError
    return found


def list_redemptions(
    *,
    member: Member | None = None,
    state: str | Sequence[str] | None = None,
    benefit: Benefit | None = None,
    channel: str | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Redemption]:
    """Return redemptions newest first; `after` is the key of the last one of the page before."""
    redemptions = _redemptions()
    if member is not None:
        redemptions = redemptions.filter(member=member)
    if state is not None:
        states = [state] if isinstance(state, str) else list(state)
        redemptions = redemptions.filter(state__in=states)
    if benefit is not None:
        redemptions = redemptions.filter(benefit=benefit)
    if channel is not None:
        redemptions = redemptions.filter(channel=channel)
    if after is not None:
        redemptions = redemptions.filter(pk__lt=after)
    return list(redemptions.order_by("-pk")[:limit])


def count_for_staff() -> int:
    """Return how many open redemptions wait for brand staff."""
    return Redemption.objects.filter(state__in=sorted(OPEN), channel=Benefit.Channel.STAFF).count()


def list_to_rate(*, member: Member, since: datetime) -> list[Redemption]:
    """Return what was fulfilled for a member since an instant and has no rating yet."""
    return list(
        _redemptions()
        .filter(
            member=member,
            state=Redemption.State.FULFILLED,
            rating__isnull=True,
            fulfilled_at__gte=since,
        )
        .order_by("-pk")
    )


def list_steps(*, redemption: Redemption) -> list[RedemptionStep]:
    """Return the moves of a redemption in their order."""
    return list(RedemptionStep.objects.filter(redemption=redemption).order_by("pk"))


def fulfilment_status(*, redemption: Redemption) -> ChannelStatus:
    """Return where the work on a redemption stands, as its channel knows it."""
    return get_channel(redemption.channel).status(redemption)


def _redemptions() -> QuerySet[Redemption]:
    return Redemption.objects.select_related("benefit", "member", "grant__terms", "words")
