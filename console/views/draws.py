"""Lucky draws: prizes and odds, opening them, the log, and checking every draw."""

from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue.models import CODE
from benefits.catalogue.queries import get_benefit, get_pool, list_benefits, list_pools, localized
from benefits.catalogue.stages import LIVE
from benefits.mall.draws import fairness, operations, queries
from benefits.mall.draws.models import DrawPrize, LuckyDraw
from benefits.mall.draws.operations import PrizeDraft
from console.access import StaffRequest, staff_page
from console.dialogs import finish, lead_on, show_form
from console.fields import (
    FoldedForm,
    IconField,
    MomentField,
    add_texts,
    initial_texts,
    place_error,
    texts_of,
)
from console.nav import shell
from console.views.mall import mall_tabs
from core import clock
from core.errors import DomainError
from core.templatetags.tessera import percent
from core.web.responses import render_page
from tenants.accounts import permissions as p

PAGE = 40
_PER_CENT = fairness.SCALE // 100
_ROWS = 12


@staff_page(p.MALL_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the draws."""
    context = {
        **shell(request, active="mall"),
        "page_title": _("Points mall"),
        "tabs": mall_tabs("draws"),
        "draws": queries.list_draws(),
    }
    return render_page(request, "console/draws.html", context, partial="rows")


class DrawForm(FoldedForm):
    """The rules of a draw; prizes have a dialog of their own."""

    folded_label = _l("More: icon, other languages")

    def __init__(self, *args: Any, draw: LuckyDraw | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.draw = draw
        fields = self.fields
        others = add_texts(self, "name", _l("Name"), required=True)
        if draw is None:
            fields["code"] = forms.CharField(label=_l("Code"), max_length=40, validators=[CODE])
        others += add_texts(self, "summary", _l("In one sentence"))
        if draw is None or draw.status == LuckyDraw.Status.DRAFT:
            fields["points"] = forms.IntegerField(label=_l("Points a draw"), min_value=1)
            fields["starts_at"] = MomentField(label=_l("Starts"), required=False)
        fields["per_day_limit"] = forms.IntegerField(
            label=_l("Draws a day per member"), min_value=1, required=False
        )
        fields["per_member_limit"] = forms.IntegerField(
            label=_l("Draws in all per member"), min_value=1, required=False
        )
        fields["ends_at"] = MomentField(label=_l("Ends"), required=False)
        fields["icon"] = IconField(label=_l("Icon"), initial="dice-5")
        self.folded = ("icon", *others)

    def facts(self) -> dict[str, Any]:
        """Return what the operations take."""
        plain = (
            "code",
            "points",
            "per_day_limit",
            "per_member_limit",
            "starts_at",
            "ends_at",
            "icon",
        )
        found = {name: self.cleaned_data[name] for name in plain if name in self.cleaned_data}
        return found | {
            name: texts_of(self, name, stored=getattr(self.draw, name, None))
            for name in ("name", "summary")
        }


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Make a draw, as a draft."""
    form = DrawForm(request.POST or None)
    if form.is_valid():
        try:
            draw = operations.create_draw(by=request.actor, at=clock.now(), **form.facts())
        except DomainError as error:
            place_error(form, error)
        else:
            return lead_on(
                request, _("Draw made. Now say what there is to win."), url=draw_url(draw)
            )
    return show_form(request, form, title=_("New lucky draw"), active="mall")


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, code: str) -> HttpResponse:
    """Change the rules of a draw as far as they are not published."""
    draw = queries.get_draw(code=code)
    plain = ("points", "per_day_limit", "per_member_limit", "starts_at", "ends_at", "icon")
    initial = {
        **{name: getattr(draw, name) for name in plain},
        **initial_texts("name", draw.name),
        **initial_texts("summary", draw.summary),
    }
    form = DrawForm(request.POST or None, draw=draw, initial=initial)
    if form.is_valid():
        try:
            operations.update_draw(draw=draw, by=request.actor, at=clock.now(), **form.facts())
        except DomainError as error:
            place_error(form, error)
        else:
            return finish(request, _("Saved."), changed="draw", url=draw_url(draw))
    title = _("Change %(name)s") % {"name": localized(draw.name, get_language())}
    return show_form(request, form, title=title, active="mall")


class PrizeForm(forms.Form):
    """One row of the table of prizes; a row without a name counts for nothing."""

    name = forms.CharField(label=_l("Prize"), max_length=120, required=False)
    kind = forms.ChoiceField(label=_l("Kind"), choices=DrawPrize.Kind.choices, required=False)
    chance = forms.DecimalField(
        label=_l("Chance (%)"), max_digits=7, decimal_places=4, min_value=0, required=False
    )
    stock = forms.IntegerField(label=_l("How many"), min_value=1, required=False)
    points = forms.IntegerField(label=_l("Points"), min_value=1, required=False)
    gives = forms.ChoiceField(label=_l("Code or benefit"), required=False)
    is_fallback = forms.BooleanField(label=_l("Stands in"), required=False)

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["gives"].choices = choices  # type: ignore[attr-defined]

    def draft(self, stored: DrawPrize | None) -> PrizeDraft | None:
        """Return the prize that was typed, or None for an empty row."""
        data = self.cleaned_data
        if not data.get("name"):
            return None
        sort, _colon, code = data.get("gives", "").partition(":")
        names = {
            **(stored.name if stored is not None else {}),
            (get_language() or "en"): data["name"],
        }
        kind = data["kind"]
        return PrizeDraft(
            kind=kind,
            name=names,
            weight=int((data["chance"] or Decimal(0)) * _PER_CENT),
            stock=data["stock"],
            points=(data["points"] or 0) if kind == DrawPrize.Kind.POINTS else 0,
            code_pool=get_pool(code=code)
            if kind == DrawPrize.Kind.CODE and sort == "pool"
            else None,
            benefit=get_benefit(code=code)
            if kind == DrawPrize.Kind.BENEFIT and sort == "benefit"
            else None,
            is_fallback=data["is_fallback"],
        )


def _gives() -> list[tuple[str, str]]:
    language = get_language()
    return [
        ("", "–"),
        *((f"pool:{pool.code}", pool.name) for pool in list_pools()),
        *(
            (f"benefit:{row.code}", localized(row.name, language))
            for row in list_benefits()
            if row.stage in LIVE
        ),
    ]


def _initial(prize: DrawPrize) -> dict[str, Any]:
    gives = ""
    if prize.code_pool is not None:
        gives = f"pool:{prize.code_pool.code}"
    if prize.benefit is not None:
        gives = f"benefit:{prize.benefit.code}"
    return {
        "name": localized(prize.name, get_language()),
        "kind": prize.kind,
        "chance": Decimal(prize.weight) / _PER_CENT,
        "stock": prize.stock,
        "points": prize.points or None,
        "gives": gives,
        "is_fallback": prize.is_fallback,
    }


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def prizes(request: StaffRequest, code: str) -> HttpResponse:
    """Write the table of prizes and odds."""
    draw = queries.get_draw(code=code)
    stored = queries.list_prizes(draw=draw)
    choices = _gives()
    count = min(max(len(stored) + 2, 5), _ROWS)
    rows = [
        PrizeForm(
            request.POST if request.method == "POST" else None,
            prefix=f"p{number}",
            choices=choices,
            initial=_initial(stored[number]) if number < len(stored) else {"kind": "points"},
        )
        for number in range(count)
    ]
    problem = ""
    # Every row is read, so that each shows what is wrong with it.
    are_valid = [row.is_valid() for row in rows]
    if request.method == "POST" and all(are_valid):
        drafts = [
            row.draft(stored[number] if number < len(stored) else None)
            for number, row in enumerate(rows)
        ]
        try:
            operations.set_prizes(
                draw=draw,
                prizes=[draft for draft in drafts if draft is not None],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            problem = error.detail
        else:
            return finish(request, _("Saved."), changed="draw", url=draw_url(draw))
    context = {
        **shell(request, active="mall"),
        "page_title": _("Prizes and odds"),
        "rows": rows,
        "problem": problem,
        "action": request.get_full_path(),
    }
    return render_page(
        request,
        "console/draw_prizes.html",
        context,
        partial="form",
        status=422 if request.method == "POST" else 200,
    )


@staff_page(p.MALL_VIEW)
def show(request: StaffRequest, code: str) -> HttpResponse:
    """Show a draw: odds, what it takes and gives, its seeds, its log."""
    draw = queries.get_draw(code=code)
    rows = queries.list_prizes(draw=draw)
    after = request.GET.get("after", "")
    log = queries.list_tickets(
        draw=draw, after=int(after) if after.isdigit() else None, limit=PAGE + 1
    )
    context = {
        **shell(request, active="mall"),
        "page_title": localized(draw.name, get_language()),
        "draw": draw,
        "prizes": [
            {
                "prize": prize,
                "share": percent(prize.weight / fairness.SCALE, 4 if prize.weight % 1_000 else 1),
                "left": None if prize.stock is None else prize.stock - prize.awarded,
            }
            for prize in rows
        ],
        "total": percent(sum(prize.weight for prize in rows) / fairness.SCALE, 2),
        "is_whole": sum(prize.weight for prize in rows) == fairness.SCALE,
        "figures": queries.get_figures(draw=draw, prizes=rows),
        "seeds": queries.list_seeds(draw=draw, limit=10),
        "log": log[:PAGE],
        "next": str(log[PAGE - 1].pk) if len(log) > PAGE else "",
        "is_draft": draw.status == LuckyDraw.Status.DRAFT,
    }
    return render_page(request, "console/draw.html", context, partial={"log": "log", "": "draw"})


@staff_page(p.MALL_EDIT, methods=("POST",))
def move(request: StaffRequest, code: str, way: str) -> HttpResponse:
    """Open a draw, pause it, or end it."""
    draw = queries.get_draw(code=code)
    moves = {
        "open": (operations.open_draw, _("The draw is open: its odds are published.")),
        "pause": (operations.pause_draw, _("Paused.")),
        "end": (operations.end_draw, _("Ended. The last secret is out.")),
    }
    step, message = moves[way]
    step(draw=draw, by=request.actor, at=clock.now())
    return finish(request, message, changed="draw", url=draw_url(draw))


@staff_page(p.MALL_VIEW)
def verify(request: StaffRequest, code: str) -> HttpResponse:
    """Check every draw from its rows and say what was found."""
    draw = queries.get_draw(code=code)
    context = {
        **shell(request, active="mall"),
        "page_title": localized(draw.name, get_language()),
        "draw": draw,
        "verdict": queries.verify_draw(draw=draw),
    }
    return render_page(request, "console/draw_verdict.html", context, partial="verdict")


def draw_url(draw: LuckyDraw) -> str:
    """Return the page of a draw."""
    return reverse("console:draw", args=[draw.code])
