"""The why of what a member has: journal entries and grants, as sentences for staff."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from benefits.grants.models import Grant
from benefits.grants.reasons import reason_text
from benefits.grants.usability import Reason
from console.earning_words import earning_line, trigger_text
from console.point_why import partners_of, policy_lines
from members.activity.models import Refund
from members.activity.queries import list_refunds_by_key
from members.earning.queries import Explanation, explain_entries
from members.points.models import WHILE_ACTIVE, Entry
from members.points.values import EntryView
from tenants.accounts.queries import list_staff


def staff_names() -> dict[int, str]:
    """Return the names of the brand's staff by key."""
    return {row.pk: row.user.get_full_name() for row in list_staff()}


def entry_rows(entries: Sequence[EntryView], *, wallet: str) -> list[dict[str, Any]]:
    """Return entries of a wallet with title, the why in words, and the lots they touched."""
    earnings = explain_entries(entries=entries, wallet=wallet)
    refunds = _refunds(entries)
    names = staff_names() if any(entry.kind == Entry.Kind.ADJUST for entry in entries) else {}
    partners = partners_of(entries)
    return [
        {
            "entry": entry,
            "kind": entry.kind.label,
            "why": [
                *_why(entry, earnings=earnings, refunds=refunds, names=names),
                *policy_lines(entry, partners=partners, names=names),
            ],
            "lots": [
                {
                    "lot": lot,
                    "expires_on": None if lot.expires_on >= WHILE_ACTIVE else lot.expires_on,
                    "is_by_inactivity": lot.expires_on == WHILE_ACTIVE,
                }
                for lot in entry.lots
            ],
        }
        for entry in entries
    ]


def _sources(entries: Iterable[EntryView], kind: str) -> list[int]:
    return [entry.source_id for entry in entries if entry.source_type == kind and entry.source_id]


def _refunds(entries: Sequence[EntryView]) -> dict[int, Refund]:
    keys = _sources(entries, "refund")
    return {refund.pk: refund for refund in list_refunds_by_key(refund_ids=keys)} if keys else {}


def _why(  # noqa: PLR0911 - one answer for each source
    entry: EntryView,
    *,
    earnings: Mapping[int, Explanation],
    refunds: Mapping[int, Refund],
    names: Mapping[int, str],
) -> list[str]:
    cause = entry.cause or {}
    match entry.source_type:
        case "purchase" | "occasion":
            earning = earnings.get(entry.seq)
            return _earning_lines(earning) if earning else [_("Purchase")]
        case "refund":
            refund = refunds.get(entry.source_id or 0)
            return _refund_lines(entry, refund)
        case "redemption":
            return [_("Redemption %(id)s") % {"id": entry.source_id}]
        case "mall_order" | "hold":
            return [
                _("Order in the points mall")
                if entry.source_type == "mall_order"
                else _("The time of the hold had passed")
            ]
        case "merge":
            return [_merge_line(cause) % {"id": entry.source_id}]
        case "transfer" | "entry":
            return []
        case "api_key":
            return [str(cause.get("reason") or _("By the brand's system"))]
        case "adjustment":
            by = names.get(entry.source_id or 0, _("the system"))
            return [str(cause.get("reason", "")), _("By %(name)s") % {"name": by}]
    if entry.kind == Entry.Kind.EXPIRE:
        return [] if "idle_until" in cause else [_("Not used in time")]
    return [entry.source_type] if entry.source_type else []


def _merge_line(cause: Mapping[str, Any]) -> str:
    match cause.get("move"):
        case "back" | "debt_back":
            return _("Merge %(id)s was undone")
        case "pull":
            return _("For something taken back after merge %(id)s")
    return _("Merge %(id)s of two members")


def _earning_lines(found: Explanation) -> list[str]:
    """Return what it was for, and the sum that was done."""
    if found.purchase:
        what = _("Purchase %(id)s") % {"id": found.purchase}
    else:
        what = trigger_text(found.rule)
    return [what, f"{found.rule.name}: {earning_line(found)}"]


def _refund_lines(entry: EntryView, refund: Refund | None) -> list[str]:
    if refund is None:
        return [_("Refund")]
    lines = [
        _("Refund %(refund)s of purchase %(purchase)s")
        % {"refund": refund.external_id, "purchase": refund.purchase.external_id}
    ]
    if entry.shortfall:
        lines.append(_("%(n)s were spent already and stay") % {"n": entry.shortfall})
    return lines


def grant_reasons(grant: Grant, *, tiers: Mapping[str, str]) -> list[str]:
    """Return why a grant was given: rule and version, what set it off, the facts then."""
    stored: dict[str, Any] = grant.reason or {}
    lines = []
    if grant.rule is not None:
        lines.append(
            _("Rule “%(rule)s”, version %(version)s")
            % {"rule": grant.rule.name, "version": grant.rule_version}
        )
    if "code" in stored:
        lines.append(reason_text(Reason(str(stored["code"]), stored)))
    if stored.get("note"):
        lines.append(str(stored["note"]))
    for name, value in stored.get("facts", {}).items():
        shown = tiers.get(value, value) if name == "tier" and isinstance(value, str) else value
        text = reason_text(Reason("fact", {"field": name, "value": shown}))
        if text != "fact":
            lines.append(text)
    return lines
