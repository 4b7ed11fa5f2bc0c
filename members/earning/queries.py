"""Reading earning rules, campaigns and what they gave, with the sum that was done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, F, Q, Sum
from django.utils.translation import gettext

from members.earning.boosts import BOOST_KEY
from members.earning.errors import CampaignNotFoundError, RuleNotFoundError
from members.earning.models import Campaign, Earning, EarningRule, OccasionEarning
from members.points.values import EntryView


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How one amount was made: counted × rate = base; × tier × campaigns = raw; - cut = amount.

    `eligible_minor` is None for occasions that are no purchase. `base`, `raw` and `cut` are None
    for what was earned before they were kept. Multipliers are in basis points, None for growth.
    """

    rule: EarningRule
    wallet: str
    amount: int
    eligible_minor: int | None
    base: int | None
    raw: int | None
    tier_bp: int | None
    campaign_bp: int | None
    campaigns: tuple[str, ...] = ()
    reversed: int = 0
    purchase: str = ""
    occasion: str = ""

    @property
    def cut(self) -> int:
        """What a cap cut off."""
        return 0 if self.raw is None else self.raw - self.amount


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """What a rule gave in points and growth before refunds, and to how many members."""

    points: int = 0
    growth: int = 0
    members: int = 0


def list_rules(*, status: str | None = None) -> list[EarningRule]:
    """Return earning rules, newest first; those of bonuses belong to their campaigns."""
    rules = EarningRule.objects.filter(campaign__isnull=True)
    return list((rules if status is None else rules.filter(status=status)).order_by("-pk"))


def get_rule(*, rule_id: int) -> EarningRule:
    """Return an earning rule.

    :raises RuleNotFoundError: if there is none.
    """
    rule = EarningRule.objects.filter(pk=rule_id).first()
    if rule is None:
        raise RuleNotFoundError(rule_id=rule_id)
    return rule


def list_campaigns(*, status: str | None = None) -> list[Campaign]:
    """Return campaigns, the one that begins last first."""
    found = Campaign.objects.all() if status is None else Campaign.objects.filter(status=status)
    return list(found.order_by("-starts_at", "-pk"))


def list_campaigns_between(*, starts_at: datetime, ends_at: datetime) -> list[Campaign]:
    """Return the campaigns, drafts included, that touch a span of time, the earliest first."""
    found = Campaign.objects.filter(starts_at__lt=ends_at, ends_at__gt=starts_at)
    return list(found.order_by("starts_at", "pk"))


def get_campaign(*, campaign_id: int) -> Campaign:
    """Return a campaign.

    :raises CampaignNotFoundError: if there is none.
    """
    campaign = Campaign.objects.filter(pk=campaign_id).first()
    if campaign is None:
        raise CampaignNotFoundError(campaign_id=campaign_id)
    return campaign


def list_earnings(*, purchase_ids: Sequence[int]) -> list[Earning]:
    """Return what purchases earned, with purchase and rule: the answer to “why so many points”."""
    return list(
        Earning.objects.filter(purchase_id__in=purchase_ids)
        .select_related("rule", "purchase")
        .order_by("purchase_id", "rule_id", "-wallet")
    )


def explain_purchases(*, purchase_ids: Sequence[int]) -> dict[int, list[Explanation]]:
    """Return how what purchases earned was made, by purchase; rules in the order of their age."""
    earnings = list_earnings(purchase_ids=purchase_ids)
    names = _campaign_names(key for earning in earnings for key in earning.campaigns or ())
    found: dict[int, list[Explanation]] = {}
    for earning in earnings:
        found.setdefault(earning.purchase_id, []).append(
            Explanation(
                rule=earning.rule,
                wallet=earning.wallet,
                amount=earning.amount,
                eligible_minor=earning.eligible_minor,
                base=earning.base,
                raw=earning.raw,
                tier_bp=earning.tier_bp,
                campaign_bp=earning.campaign_bp,
                campaigns=tuple(names.get(key, "") for key in earning.campaigns or ()),
                reversed=earning.reversed,
                purchase=earning.purchase.external_id,
            )
        )
    return found


def explain_entries(*, entries: Sequence[EntryView], wallet: str) -> dict[int, Explanation]:
    """Return how the credits among entries of one wallet were made, by the entry's number."""
    purchases = _sources(entries, "purchase")
    occasions = _sources(entries, "occasion")
    by_purchase = explain_purchases(purchase_ids=purchases) if purchases else {}
    by_occasion = _explain_occasions(occasions) if occasions else {}
    found = {}
    for entry in entries:
        rule_id = (entry.cause or {}).get("rule")
        if entry.source_type == "occasion" and entry.source_id in by_occasion:
            found[entry.seq] = by_occasion[entry.source_id]
        if entry.source_type == "purchase" and entry.delta > 0:
            for one in by_purchase.get(entry.source_id or 0, ()):
                if one.rule.pk == rule_id and one.wallet == wallet:
                    found[entry.seq] = one
    return found


def rule_figures(*, rule_ids: Sequence[int], since: date) -> dict[int, RuleFigures]:
    """Return what rules gave since a brand day, of purchases and occasions of these days."""
    found: dict[int, RuleFigures] = {}
    for model in (Earning, OccasionEarning):
        rows = (
            model.objects.filter(rule_id__in=rule_ids, on_date__gte=since)
            .values_list("rule_id")
            .annotate(
                points=Sum("amount", filter=Q(wallet="points"), default=0),
                growth=Sum("amount", filter=Q(wallet="growth"), default=0),
                members=Count("member", distinct=True),
            )
        )
        for rule_id, points, growth, members in rows:
            found[rule_id] = RuleFigures(points, growth, members)
    return found


def campaign_figures(*, campaign: Campaign) -> RuleFigures:
    """Return what a campaign has added so far: a bonus its points, a multiplier its part.

    Its part is what multiplied earnings lost without it: for one multiplier ⌊amount × (1 - 1 ÷
    factor)⌋ of each; where several made the factor, they share it.
    """
    since = campaign.starts_at.date()
    if campaign.effect == Campaign.Effect.BONUS:
        rule = EarningRule.objects.filter(campaign=campaign).first()
        found = rule_figures(rule_ids=[rule.pk], since=since) if rule is not None else {}
        return found.get(rule.pk, RuleFigures()) if rule is not None else RuleFigures()
    without = F("amount") * 10_000 / F("campaign_bp")
    found_of = Earning.objects.filter(
        campaigns__contains=[campaign.pk], on_date__gte=since, wallet="points"
    ).aggregate(
        points=Sum(F("amount") - without, default=0), members=Count("member", distinct=True)
    )
    return RuleFigures(points=found_of["points"], members=found_of["members"])


def _sources(entries: Iterable[EntryView], kind: str) -> list[int]:
    return [entry.source_id for entry in entries if entry.source_type == kind and entry.source_id]


def _campaign_names(keys: Iterable[int]) -> Mapping[int, str]:
    wanted = set(keys)
    if not wanted:
        return {}
    found = dict(Campaign.objects.filter(pk__in=wanted).values_list("pk", "name"))
    return {**found, BOOST_KEY: gettext("Points multiplier")}


def _explain_occasions(keys: Sequence[int]) -> dict[int, Explanation]:
    return {
        row.pk: Explanation(
            rule=row.rule,
            wallet=row.wallet,
            amount=row.amount,
            eligible_minor=None,
            base=row.rule.points,
            raw=row.raw,
            tier_bp=row.tier_bp,
            campaign_bp=None,
            occasion=row.occasion,
        )
        for row in OccasionEarning.objects.filter(pk__in=keys).select_related("rule")
    }
