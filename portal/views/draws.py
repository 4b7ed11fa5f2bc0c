"""Lucky draws: odds in the open, one draw at a time, and the proof of each."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _l

from benefits.mall.draws import fairness, operations, queries
from benefits.mall.draws.models import DrawTicket
from benefits.mall.draws.queries import DrawOffer
from core import clock
from core.errors import DomainError
from core.ids import uuid7
from core.templatetags.tessera import percent
from core.web.responses import hx_redirect, render_page
from members.points.queries import get_balance
from portal.access import MemberRequest, member_page
from portal.nav import TierNames, shell, text
from portal.reasons import error_text, refusal_text

PAGE = 20


class PlayForm(forms.Form):
    """One draw; `token` makes a double click one draw."""

    token = forms.UUIDField(widget=forms.HiddenInput())
    words = forms.CharField(
        label=_l("Your lucky words"),
        max_length=60,
        required=False,
        help_text=_l("Whatever you like: they go into what decides, so nobody can know it before."),
    )


def share_text(weight: int) -> str:
    """Return chances in a million as per cent, with as many digits as it needs."""
    digits = next((d for d in range(4) if weight % 10 ** (4 - d) == 0), 4)
    return percent(weight / fairness.SCALE, digits)


def prize_rows(offer: DrawOffer) -> list[dict[str, Any]]:
    """Return the table of odds as members read it."""
    return [
        {
            "name": text(prize.name),
            "kind": prize.kind,
            "share": share_text(prize.weight),
            "stock": prize.stock,
            "left": None if prize.stock is None else prize.stock - prize.awarded,
            "is_fallback": prize.is_fallback,
        }
        for prize in queries.list_prizes(draw=offer.draw)
    ]


@member_page(methods=("GET", "POST"))
def show(request: MemberRequest, code: str) -> HttpResponse:
    """Show a draw with its odds, and draw."""
    at = clock.now()
    form = PlayForm(request.POST if request.method == "POST" else None, initial={"token": uuid7()})
    if request.method == "POST" and form.is_valid():
        try:
            ticket = operations.play(
                member=request.member,
                draw=queries.get_draw(code=code),
                key=form.cleaned_data["token"],
                words=form.cleaned_data["words"],
                by=request.actor,
                at=at,
            )
        except DomainError as error:
            form.add_error(None, error_text(error))
        else:
            return hx_redirect(request, reverse("portal:ticket", args=[ticket.key]))
    offer = queries.get_offer(code=code, member=request.member, at=at, lang=get_language() or "")
    names = TierNames()
    seeds = queries.list_seeds(draw=offer.draw, limit=8)
    context = {
        **shell(active="mall", back="mall"),
        "page_title": offer.name,
        "offer": offer,
        "prizes": prize_rows(offer),
        "form": form,
        "balance": get_balance(owner_id=request.member.pk, at=at),
        "reasons": [refusal_text(reason, names) for reason in offer.reasons],
        "seed_in_use": next((seed for seed in seeds if seed.revealed_at is None), None),
        "seeds": [seed for seed in seeds if seed.revealed_at is not None],
        "mine": [
            {"ticket": row, "name": text(row.prize.name)}
            for row in queries.list_tickets(draw=offer.draw, member=request.member, limit=PAGE)
        ],
    }
    status = 422 if form.is_bound else 200
    return render_page(request, "portal/draw.html", context, partial="play", status=status)


@member_page()
def ticket(request: MemberRequest, key: UUID) -> HttpResponse:
    """Show what one draw brought, and how to check it."""
    found = queries.get_ticket(key=key, member=request.member)
    context = {
        **shell(active="mall"),
        "back_url": reverse("portal:draw", args=[found.draw.code]),
        "page_title": text(found.draw.name),
        "ticket": found,
        "prize": text(found.prize.name),
        "drawn": text(found.drawn.name) if found.drawn_id != found.prize_id else "",
        "has_won": found.prize.kind != "nothing",
        "message": _message(found),
    }
    return render_page(request, "portal/ticket.html", context)


def _message(found: DrawTicket) -> str:
    """Return what the seed is applied to, its parts divided by a sign that can be seen."""
    return fairness.message_of(
        draw=found.draw.code, player=found.player, number=found.number, words=found.lucky_words
    ).replace("\x1f", "␟")
