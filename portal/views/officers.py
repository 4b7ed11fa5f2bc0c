"""Experience officers: take a seat, keep the diary, bring ideas; what was said and done, for all."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.officers import operations, queries
from benefits.officers.models import OfficerSeat
from benefits.officers.operations import MAX_PHOTOS
from benefits.officers.photos import MAX_BYTES
from core import clock
from core.errors import DomainError
from core.web.responses import hx_redirect, render_page
from portal.access import MemberRequest, member_page
from portal.nav import shell, text
from portal.reasons import error_text


class ManyFiles(forms.ClearableFileInput):
    """Several files in one field."""

    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """A field whose value is a list of files."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        return [super(ManyFilesField, self).clean(file, initial) for file in data or []]


class DiaryForm(forms.Form):
    """The entry of the day; one score for each question of the round."""

    words = forms.CharField(
        label=_l("In your words"),
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2_000,
        required=False,
    )
    photos = ManyFilesField(
        label=_l("Photos"),
        widget=ManyFiles(attrs={"accept": "image/jpeg,image/png"}),
        required=False,
        help_text=_l("JPEG or PNG, up to 2 MB each, three in an entry."),
    )

    def __init__(self, *args: Any, questions: list[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.names = [f"score_{number}" for number in range(len(questions))]
        choices = [(score, str(score)) for score in range(1, 6)]
        scores = {
            name: forms.TypedChoiceField(
                label=question, choices=choices, coerce=int, widget=forms.RadioSelect
            )
            for name, question in zip(self.names, questions, strict=True)
        }
        self.fields = {**scores, **self.fields}

    @property
    def score_fields(self) -> list[forms.BoundField]:
        """Return the questions."""
        return [self[name] for name in self.names]


class IdeaForm(forms.Form):
    """An idea."""

    words = forms.CharField(label=_l("Your idea"), max_length=500)


@member_page()
def index(request: MemberRequest) -> HttpResponse:
    """List the member's rounds, and what rounds have changed for everybody."""
    places = queries.list_places(member=request.member)
    context = {
        **shell(active="me", back="me"),
        "page_title": _("Experience officers"),
        "places": [{"seat": seat, "benefit": text(seat.round.benefit.name)} for seat in places],
        "notes": [
            {"round": row, "benefit": text(row.benefit.name)} for row in queries.list_published()
        ],
    }
    return render_page(request, "portal/officers.html", context)


def _round(
    request: MemberRequest,
    seat: OfficerSeat,
    *,
    diary: DiaryForm | None = None,
    idea: IdeaForm | None = None,
    note: str = "",
    status: int = 200,
) -> HttpResponse:
    is_seated = seat.state == OfficerSeat.State.SEATED
    context = {
        **shell(active="me", back="officers"),
        "page_title": seat.round.title,
        "seat": seat,
        "round": seat.round,
        "benefit": text(seat.round.benefit.name),
        "is_seated": is_seated,
        "is_running": seat.round.state == "open"
        and clock.today(request.tenant.timezone) < seat.round.ends_on,  # type: ignore[attr-defined]
        "left": seat.round.seats - seat.round.seats_taken,
        "diary": diary or DiaryForm(questions=seat.round.questions),
        "idea": idea or IdeaForm(),
        "entries": queries.list_own_entries(seat=seat) if is_seated else [],
        "ideas": queries.list_ideas(officer_round=seat.round) if is_seated else [],
        "voted": queries.list_voted(seat=seat) if is_seated else set(),
        "note": note,
    }
    return render_page(request, "portal/officer_round.html", context, status=status)


@member_page()
def show(request: MemberRequest, round_id: int) -> HttpResponse:
    """Show a round to somebody who was invited."""
    return _round(request, queries.get_place(member=request.member, round_id=round_id))


@member_page(methods=("POST",))
def answer(request: MemberRequest, round_id: int, verdict: str) -> HttpResponse:
    """Take a seat, or say no."""
    seat = queries.get_place(member=request.member, round_id=round_id)
    act = operations.accept if verdict == "accept" else operations.decline
    try:
        act(officer_round=seat.round, member=request.member, by=request.actor, at=clock.now())
    except DomainError as error:
        return _round(request, seat, note=error_text(error), status=409)
    return hx_redirect(request, reverse("portal:officer_round", args=[round_id]))


@member_page(methods=("POST",))
def write(request: MemberRequest, round_id: int) -> HttpResponse:
    """Write the entry of the day."""
    seat = queries.get_place(member=request.member, round_id=round_id)
    form = DiaryForm(request.POST, request.FILES, questions=seat.round.questions)
    if form.is_valid():
        files = form.cleaned_data["photos"][: MAX_PHOTOS + 1]
        try:
            operations.write_diary(
                officer_round=seat.round,
                member=request.member,
                scores=[form.cleaned_data[name] for name in form.names],
                words=form.cleaned_data["words"],
                photos=[file.read(MAX_BYTES + 1) for file in files],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            place = str(error.data.get("pointer", "")).strip("/")
            form.add_error(place if place in form.fields else None, error_text(error))
        else:
            return hx_redirect(request, reverse("portal:officer_round", args=[round_id]))
    return _round(request, seat, diary=form, status=422)


@member_page(methods=("POST",))
def suggest(request: MemberRequest, round_id: int) -> HttpResponse:
    """Bring an idea."""
    seat = queries.get_place(member=request.member, round_id=round_id)
    form = IdeaForm(request.POST)
    if form.is_valid():
        try:
            operations.add_idea(
                officer_round=seat.round,
                member=request.member,
                words=form.cleaned_data["words"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            form.add_error("words", error_text(error))
        else:
            return hx_redirect(request, reverse("portal:officer_round", args=[round_id]))
    return _round(request, seat, idea=form, status=422)


@member_page(methods=("POST",))
def vote(request: MemberRequest, round_id: int, idea_id: int) -> HttpResponse:
    """Vote for another officer's idea."""
    seat = queries.get_place(member=request.member, round_id=round_id)
    idea = queries.get_idea(idea_id=idea_id)
    try:
        operations.vote(idea=idea, member=request.member, by=request.actor, at=clock.now())
    except DomainError as error:
        return _round(request, seat, note=error_text(error), status=409)
    return hx_redirect(request, reverse("portal:officer_round", args=[round_id]))


@member_page()
def photo(request: MemberRequest, photo_id: int) -> HttpResponse:
    """Show a photo of one's own diary."""
    found = queries.get_photo(photo_id=photo_id, member=request.member)
    reply = HttpResponse(bytes(found.content), content_type=found.media_type)
    reply["X-Content-Type-Options"] = "nosniff"
    reply["Content-Security-Policy"] = "default-src 'none'; sandbox"
    reply["Cache-Control"] = "private, max-age=3600"
    return reply
