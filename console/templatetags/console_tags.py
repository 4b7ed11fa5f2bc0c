"""Tags of the console's pages: texts in the reader's language, links to members."""

from collections.abc import Mapping

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from benefits.catalogue.texts import localized
from members.profiles.models import Member

register = template.Library()


@register.filter
def text(texts: Mapping[str, str] | None) -> str:
    """Return a map of texts in the page's language: `{{ benefit.name|text }}`."""
    return localized(texts, get_language())


@register.simple_tag
def member_link(member: Member | None) -> SafeString:
    """Draw a member's number as a link to their page."""
    if member is None:
        return SafeString("–")
    address = reverse("console:member", args=[member.number])
    return format_html('<a class="tnum" href="{}">{}</a>', address, member.number)
