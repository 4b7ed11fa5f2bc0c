"""A member's benefits as the portal lists them."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from benefits.grants.queries import UsableBenefit
from benefits.grants.reasons import reason_text
from portal.dates import last_day, near_day
from portal.nav import TierNames
from portal.reasons import refusal_text, why_text


@dataclass(frozen=True, slots=True)
class BenefitRow:
    """One line: the benefit, what is left or why not, and what to do with it."""

    item: UsableBenefit
    url: str
    use_url: str
    text: str
    why: str
    hint: str
    action: str

    @property
    def reason(self) -> str:
        """Why it is the member's, and why it stands where it does."""
        return " · ".join(part for part in (self.why, self.hint) if part)

    @property
    def icon(self) -> str:
        return self.item.benefit.icon or "gift"


def left_text(item: UsableBenefit) -> str:
    """Return how many units are left and when new ones come or these end."""
    if item.granted == 1 and item.remaining == 1:
        left = _("Ready to use")
    else:
        left = ngettext("%(left)s of %(all)s left", "%(left)s of %(all)s left", item.remaining) % {
            "left": item.remaining,
            "all": item.granted,
        }
    if item.resets_at is not None:
        renewal = _("new ones on %(date)s") % {"date": near_day(item.resets_at)}
        return f"{left} · {renewal}"
    if item.ends_at is not None:
        end = _("until %(date)s") % {"date": last_day(item.ends_at)}
        return f"{left} · {end}"
    return left


def hint_of(item: UsableBenefit) -> str:
    """Return why it stands high in the list, where there is something to say."""
    found = item.relevance.why if item.usable and item.relevance is not None else None
    return "" if found is None else reason_text(found)


def row_of(item: UsableBenefit, *, names: TierNames) -> BenefitRow:
    """Return one benefit as a line."""
    if item.usable:
        text = left_text(item)
    else:
        text = " ".join(refusal_text(reason, names) for reason in item.reasons[:1])
    books = item.benefit.channel == "partner" or item.benefit.by_appointment
    return BenefitRow(
        item=item,
        url=reverse("portal:benefit", args=[item.benefit.code]),
        use_url=reverse("portal:use", args=[item.benefit.code]),
        text=text,
        why=why_text(item.why, names) if item.granted else "",
        hint=hint_of(item),
        action=(_("Book") if books else _("Use")) if item.usable else "",
    )


def rows_of(items: list[UsableBenefit], *, names: TierNames) -> list[BenefitRow]:
    """Return all benefits as lines, in the order given."""
    return [row_of(item, names=names) for item in items]
