"""Tags of the console's pages: texts in the reader's language, links to members."""

from collections.abc import Mapping

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext

from benefits.catalogue.texts import localized
from members.profiles.models import Member

register = template.Library()


@register.filter
def text(texts: Mapping[str, str] | None) -> str:
    """Return a map of texts in the page's language: `{{ benefit.name|text }}`."""
    return localized(texts, get_language())


@register.filter
def minutes_before(minutes: int) -> str:
    """Return a time ahead of an appointment in days, hours or minutes, whichever is whole."""
    if minutes and minutes % 1_440 == 0:
        days = minutes // 1_440
        return ngettext("%(n)d day before", "%(n)d days before", days) % {"n": days}
    if minutes and minutes % 60 == 0:
        hours = minutes // 60
        return ngettext("%(n)d hour before", "%(n)d hours before", hours) % {"n": hours}
    return ngettext("%(n)d minute before", "%(n)d minutes before", minutes) % {"n": minutes}


@register.simple_tag
def member_link(member: Member | None) -> SafeString:
    """Draw a member's number as a link to their page."""
    if member is None:
        return SafeString("–")
    address = reverse("console:member", args=[member.number])
    return format_html('<a class="tnum" href="{}">{}</a>', address, member.number)
