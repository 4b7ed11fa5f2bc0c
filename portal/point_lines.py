"""Where the points of a line came from, and what they went to, in the member's words."""

from dataclasses import dataclass
from datetime import date

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.texts import localized
from benefits.grants.models import Redemption
from benefits.mall.models import MallOrder
from core.templatetags.tessera import day, localtime
from members.earning.queries import explain_entries
from members.points.queries import list_entries_by_seq
from members.points.values import EntryView
from portal.reasons import entry_title

_NO_END = 9999


@dataclass(frozen=True, slots=True)
class LotLine:
    """Points of one credit that a line touched: which, how many, until when they are good."""

    title: str
    hint: str
    quantity: int


def lot_lines(entry: EntryView, *, owner_id: int, wallet: str) -> list[LotLine]:
    """Return the credits whose points a line took or gave back, in the order they were taken."""
    if not entry.lots:
        return []
    made = list_entries_by_seq(
        owner_id=owner_id, wallet=wallet, seqs={lot.lot_seq for lot in entry.lots}
    )
    why = explain_entries(entries=list(made.values()), wallet=wallet)
    lines = []
    for lot in entry.lots:
        credit = made.get(lot.lot_seq)
        parts = [good_until(lot.expires_on)]
        title = _("Earlier points")
        if credit is not None:
            title = entry_title(credit)
            parts.insert(0, localtime(credit.at))
            if credit.seq in why and why[credit.seq].purchase:
                parts.insert(1, why[credit.seq].purchase)
        lines.append(LotLine(title, " · ".join(parts), lot.quantity))
    return lines


def undone_facts(entry: EntryView, *, owner_id: int, wallet: str) -> list[tuple[str, str]]:
    """Return what a line takes back or gives back: which earlier line, of which purchase."""
    if entry.ref_seq is None:
        return []
    found = list_entries_by_seq(owner_id=owner_id, wallet=wallet, seqs={entry.ref_seq})
    earlier = found.get(entry.ref_seq)
    if earlier is None:
        return []
    facts = [(_("Belongs to"), f"{entry_title(earlier)}, {localtime(earlier.at)}")]
    why = explain_entries(entries=[earlier], wallet=wallet).get(earlier.seq)
    if why is not None and why.purchase:
        facts.append((_("Purchase"), why.purchase))
    return facts


def spent_on(entry: EntryView, *, owner_id: int) -> list[tuple[str, str]]:
    """Return what points were set aside or spent for: the item ordered, the benefit used."""
    language = get_language() or ""
    if entry.source_type == "mall_order":
        order = (
            MallOrder.objects.select_related("item")
            .filter(pk=entry.source_id or 0, member_id=owner_id)
            .first()
        )
        return [(_("For"), localized(order.item.name, language))] if order is not None else []
    if entry.source_type == "redemption":
        use = (
            Redemption.objects.select_related("benefit")
            .filter(pk=entry.source_id or 0, member_id=owner_id)
            .first()
        )
        return [(_("By"), localized(use.benefit.name, language))] if use is not None else []
    return []


def good_until(last: date) -> str:
    """Return until when points are good, which some are without an end or while one is active."""
    if last.year < _NO_END:
        return _("good until %(date)s") % {"date": day(last)}
    return _("good while you are active") if last.day == 30 else _("without expiry")
